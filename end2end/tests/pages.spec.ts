import type { Page } from '@playwright/test';
import { state } from './support/people';
import { clerkIsThere, pages } from './support/pages';
import { described, expect, held, test } from './support/test';

/** What each page is called, and which links of the header and of its own navigation are marked: that to the page itself, and
 * with dots those to what it belongs to. */
const known: Record<string, { title: string; marked: string[] }> = {
  home: { title: '', marked: ['Rollcall'] },
  'sign-in': { title: 'Sign in', marked: ['Sign in'] },
  'sign-up': { title: 'Sign up', marked: ['Sign up'] },
  'not-found': { title: 'Page not found', marked: [] },
  'home-signed-in': { title: '', marked: ['Rollcall'] },
  profile: { title: 'Your profile', marked: ['Profile', 'Profile'] },
  sessions: { title: 'Your sessions', marked: ['Profile …', 'Sessions'] },
  account: { title: 'Sign-in and security', marked: ['Profile …', 'Sign-in and security'] },
  'your-data': { title: 'Your data', marked: ['Profile …', 'Your data'] },
  verify: { title: 'Confirm that it is you', marked: [] },
  people: { title: 'People', marked: ['People'] },
  'people-found': { title: 'People', marked: ['People'] },
  'people-none': { title: 'People', marked: ['People'] },
  person: { title: 'Ada Admin', marked: ['People …'] },
  'person-none': { title: 'Not found', marked: ['People …'] },
  'admins-only': { title: 'Admins only', marked: [] },
  connection: { title: 'Connection', marked: ['Sync …', 'Connection'] },
  users: { title: 'Users', marked: ['Users'] },
  'users-found': { title: 'Users', marked: ['Users'] },
  'role-changes': { title: 'Change roles', marked: ['Users …'] },
  activity: { title: 'Activity', marked: ['Sync …', 'Activity'] },
  'sync-week': { title: 'Sync', marked: ['Sync', 'Overview'] },
  sync: { title: 'Sync', marked: ['Sync', 'Overview'] },
  events: { title: 'Events', marked: ['Sync …', 'Events'] },
  'events-none': { title: 'Events', marked: ['Sync …', 'Events'] },
  'events-unclear': { title: 'Events', marked: ['Sync …', 'Events'] },
  failures: { title: 'Failures', marked: ['Sync …', 'Failures'] },
  replay: { title: 'Replay', marked: ['Sync …', 'Events …'] },
  runs: { title: 'Runs', marked: ['Sync …', 'Runs'] },
  effects: { title: 'Effects', marked: ['Sync …', 'Effects'] },
  audit: { title: 'Audit', marked: ['Sync …', 'Audit'] },
};

test('e_31 no two pages are called the same', () => {
  expect(Object.keys(known)).toEqual(pages.map(({ name }) => name));
  const places = new Map<string, Set<string>>();
  for (const { name, path } of pages) {
    const { title } = known[name]!;
    places.set(title, (places.get(title) ?? new Set()).add(path.replace(/\?.*/, '')));
  }
  expect([...places].filter(([, paths]) => paths.size > 1)).toEqual([]);
});

for (const seen of pages) {
  test.describe(`${seen.path} as ${seen.who}`, () => {
    if (seen.who !== 'nobody') test.use({ storageState: state(seen.who) });

    test('answers, whole and without complaint', async ({ page, complaints, javaScriptEnabled }) => {
      const response = await page.goto(seen.path);
      if (seen.clerk && javaScriptEnabled) await clerkIsThere(page, seen.clerk);

      expect(response?.status()).toBe(seen.status);
      await expect(page.locator('html')).toHaveAttribute('lang', /^[a-z]{2}/);
      // Clerk's components bring a heading of their own.
      const heading = page.locator('h1:not(.clerk-widget *)');
      await expect(heading).toHaveCount(1);
      await expect(heading).toHaveText(seen.heading);
      const { title, marked } = known[seen.name]!;
      await expect(page).toHaveTitle(title ? `${title} · Rollcall` : 'Rollcall');
      if (title) await expect(heading).toHaveText(title);
      expect(await marks(page)).toEqual(marked);
      await expect(page.getByRole('main')).toHaveCount(1);
      await expect(page.getByRole('banner').getByRole('link', { name: 'Rollcall' })).toBeVisible();
      // Asked for once more: behind a renewed session the browser's own answer is the last of several, of which it may show
      // another's headers.
      const again = await page.request.get(seen.path, { headers: { accept: 'text/html' } });
      expect(again.headers()['content-security-policy']).toContain('script-src');
      expect(complaints).toEqual([]);
    });
  });
}

test('nobody is led from the profile to the sign-in page and would come back', async ({ page }) => {
  await page.goto('/profile');

  await expect(page).toHaveURL(/\/sign-in\?redirect_url=/);
  const back = new URL(page.url()).searchParams.get('redirect_url') ?? '';
  expect(new URL(back, page.url()).pathname).toBe('/profile');
});

test('the header of nobody leads to Clerk and to nothing else', async ({ page }) => {
  await page.goto('/');

  const header = page.getByRole('banner');
  await expect(header.getByRole('link', { name: 'Sign in' })).toBeVisible();
  await expect(header.getByRole('link', { name: 'Sign up' })).toBeVisible();
  await expect(header.getByRole('link', { name: 'Profile' })).toHaveCount(0);
  await expect(header.getByRole('link', { name: 'Sync' })).toHaveCount(0);
  await expect(header.getByRole('button', { name: 'Sign out' })).toHaveCount(0);
});

test.describe('a user', () => {
  test.use({ storageState: state('user') });

  test('sees the own profile and no way to the sync page', async ({ page }) => {
    await page.goto('/profile');

    await expect(held(page, 'E-mail')).toContainText('user@example.com');
    await expect(held(page, 'Role')).toContainText(/user/i);
    await expect(described(page, 'Status')).toContainText(/active/i);
    await expect(page.getByRole('banner').getByRole('link', { name: 'Sync' })).toHaveCount(0);
  });

  test('stays signed in when the session token is gone: the handshake brings it back', async ({ page, context }) => {
    await context.clearCookies({ name: /^__session/ });

    const response = await page.goto('/profile');

    expect(response?.status()).toBe(200);
    expect(new URL(page.url()).pathname + new URL(page.url()).search).toBe('/profile');
    await expect(page.getByRole('heading', { name: 'Your profile' })).toBeVisible();
  });
});

test.describe('an admin', () => {
  test.use({ storageState: state('admin') });

  test('sees the counts and the last events', async ({ page }) => {
    await page.goto('/');
    await page.getByRole('banner').getByRole('link', { name: 'Sync' }).click();

    await expect(page.getByRole('heading', { name: 'Sync', level: 1 })).toBeVisible();
    for (const tile of ['Received', 'Applied', 'Stale', 'Duplicate', 'Ignored', 'Failed', 'Dead']) {
      await expect(page.getByRole('main').getByText(tile, { exact: true }).first()).toBeVisible();
    }
    const table = page.getByRole('table', { name: 'Last 50 events' });
    for (const column of ['Event', 'Type', 'Person', 'State', 'Decision', 'Received']) {
      await expect(table.getByRole('columnheader', { name: column, exact: true })).toBeVisible();
    }
    // The seeded people came as events; what other tests plant may have failed.
    const created = table.getByRole('row').filter({ hasText: 'user.created' });
    await expect(created.filter({ hasText: /applied/i }).first()).toBeVisible();
  });
});

/** The links that the ways between pages mark, by what they are called. Others lead to other parts of the same page. */
function marks(page: Page): Promise<string[]> {
  const ways = ['Main', 'Your account', 'Sync pages'].map((name) => `nav[aria-label="${name}"] a[aria-current]`);
  return page.locator(ways.join(', ')).evaluateAll((links) =>
    links.map((link) => {
      const isRead = (node: Node) => !(node instanceof Comment || (node instanceof Element && node.querySelector('[aria-hidden]')));
      const shown = [...link.childNodes].filter(isRead);
      const name = shown.map(({ textContent }) => textContent).join('').trim();
      return link.getAttribute('aria-current') === 'page' ? name : `${name} …`;
    }),
  );
}
