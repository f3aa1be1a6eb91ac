// What a page does for its reader: their own times, keys that save a way, no motion, names in any script.
import type { Page } from '@playwright/test';
import { clerkIsThere } from './support/pages';
import { arrived, state } from './support/people';
import { expect, test } from './support/test';

test.use({ storageState: state('admin') });

test.describe('far from Greenwich', () => {
  test.use({ timezoneId: 'Asia/Kolkata' });

  test('e_16 times are the reader\'s own, the whole one is there with the focus, and UTC is a choice', async ({ page, complaints }) => {
    await page.goto('/profile');
    const joined = page.locator('dd time:not(.ago, .day)').first();
    await expect(joined).toContainText('GMT+5:30');

    await page.goto('/admin/sync/events');
    const row = page.locator('main tbody tr').first();
    const ago = row.locator('time.ago');
    await expect(ago).toContainText(/ago|now/);
    const whole = () => ago.evaluate((time) => getComputedStyle(time, '::after').content);
    expect(await whole()).toBe('none');
    // It comes with whatever takes the focus in its row, and is no stop of the Tab key by itself.
    await row.getByRole('checkbox').focus();
    const before = await row.boundingBox();
    await page.keyboard.press('Tab');
    await expect(row.getByRole('link').first()).toBeFocused();
    expect(await whole()).toContain('GMT+5:30');
    expect(await page.locator('time[tabindex="0"]').count()).toBe(0);
    // Nothing is hidden by it: what is below makes room.
    const [grown, next] = await Promise.all([row.boundingBox(), page.locator('main tbody tr').nth(1).boundingBox()]);
    expect(grown!.height).toBeGreaterThanOrEqual(before!.height);
    expect(next!.y).toBeGreaterThanOrEqual(grown!.y + grown!.height - 1);
    // A finger takes it where it is.
    await page.locator('main').focus();
    expect(await whole()).toBe('none');
    await ago.click();
    expect(await whole()).toContain('GMT+5:30');

    await page.getByRole('button', { name: 'Show times of UTC' }).click();
    await expect(ago).toContainText(/UTC$/);
    await page.goto('/profile');
    await expect(joined).toContainText(/UTC$/);
    await page.getByRole('button', { name: 'Show times of my zone' }).click();
    await expect(joined).toContainText('GMT+5:30');
    expect(complaints).toEqual([]);
  });
});

test('e_21 a key leads to the search, another lists them, and both can be switched off', async ({ page, complaints }) => {
  await page.goto('/admin/users');
  const search = page.getByLabel('Name, username, e-mail address or id');
  await expect(async () => {
    await page.keyboard.press('/');
    await expect(search).toBeFocused({ timeout: 500 });
  }).toPass();
  await page.keyboard.press('/');
  await expect(search).toHaveValue('/');
  await search.blur();
  await page.keyboard.press('?');
  const list = page.getByRole('dialog', { name: 'Keyboard shortcuts' });
  await expect(list).toContainText('goes to the search');

  await list.getByRole('button', { name: 'Switch them off' }).click();
  await page.keyboard.press('/');
  await expect(search).not.toBeFocused();
  await page.getByRole('button', { name: 'Keyboard shortcuts' }).click();
  await list.getByRole('button', { name: 'Switch them on' }).click();
  await expect(async () => {
    await page.keyboard.press('/');
    await expect(search).toBeFocused({ timeout: 500 });
  }).toPass();
  expect(complaints).toEqual([]);
});

test('e_15 an id is copied by a key, which says so', async ({ page, context, users, complaints }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  const user = await users.findOne({ email: 'user@example.com' });
  await page.goto(`/admin/users/${user?.clerkId}`);
  const copy = page.getByRole('button', { name: /^Copy.*Clerk's id/ });
  await expect(async () => {
    await copy.focus();
    await page.keyboard.press('Enter');
    await expect(page.locator('main dl')).toContainText('Copied', { timeout: 500 });
  }).toPass();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(user?.clerkId);
  expect(complaints).toEqual([]);
});

test('e_22 what has the focus is never behind the head of its table', async ({ page }) => {
  await page.setViewportSize({ width: 1280, height: 500 });
  await page.goto('/admin/users');
  await page.locator('main tbody a').last().focus();
  let stops = 0;
  for (;;) {
    await page.keyboard.press('Shift+Tab');
    const seen = await page.evaluate(() => {
      const focused = document.activeElement;
      if (!focused?.closest('tbody')) return undefined;
      const { left, top, width, height } = focused.getBoundingClientRect();
      return !document.elementFromPoint(left + width / 2, top + height / 2)?.closest('thead');
    });
    if (seen === undefined) break;
    expect(seen, `${stops} stops above the last`).toBe(true);
    stops++;
  }
  expect(stops).toBeGreaterThan(20);
});

test('e_22 with the spacing that a reader sets nothing sticks out of a narrow screen', async ({ page, users }) => {
  const user = await users.findOne({ email: 'user@example.com' });
  await page.setViewportSize({ width: 320, height: 640 });
  const paths = ['/', '/profile', '/profile/sessions', '/profile/data', '/people', '/people/ada', '/admin/users', '/admin/sync'];
  for (const path of [...paths, `/admin/users/${user?.clerkId}`, '/admin/sync/events', '/admin/sync/audit', '/admin/activity']) {
    await page.goto(path);
    // WCAG 1.4.12.
    const width = await page.evaluate(() => {
      const spacing = new CSSStyleSheet();
      spacing.replaceSync(
        '* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important; } p { margin-bottom: 2em !important; }',
      );
      document.adoptedStyleSheets = [...document.adoptedStyleSheets, spacing];
      return document.documentElement.scrollWidth;
    });
    expect(width, path).toBeLessThanOrEqual(320);
  }
});

test('e_25 nothing moves for whoever wants no motion', async ({ page, users }) => {
  const user = await users.findOne({ email: 'user@example.com' });
  await page.emulateMedia({ reducedMotion: 'reduce' });
  for (const path of ['/admin/users', '/admin/sync', '/profile', '/people']) {
    await page.goto(path);
    expect(await moving(page), path).toBe(0);
  }
  await page.getByRole('button', { name: 'Keyboard shortcuts' }).click();
  await expect(page.getByRole('dialog', { name: 'Keyboard shortcuts' })).toBeVisible();
  expect(await moving(page), 'the list of keys').toBe(0);
  await page.goto(`/admin/users/${user?.clerkId}`);
  await page.getByRole('button', { name: 'Ban', exact: true }).click();
  await expect(page.getByRole('dialog')).toBeVisible();
  expect(await moving(page), 'a question').toBe(0);
});

test.describe('nobody', () => {
  test.use({ storageState: { cookies: [], origins: [] } });

  test('e_25 nothing of Clerk\'s component moves either', async ({ page }) => {
    await page.emulateMedia({ reducedMotion: 'reduce' });
    await page.goto('/sign-in');
    await clerkIsThere(page, 'form');
    expect(await moving(page)).toBe(0);
    // What it says while it asks Clerk, and what comes next.
    await page.getByRole('textbox', { name: /^email address/i }).fill('user@example.com');
    await page.getByRole('button', { name: 'Continue', exact: true }).click();
    expect(await moving(page), 'on the way').toBe(0);
    await expect(page.getByRole('textbox', { name: 'Password', exact: true })).toBeVisible();
    expect(await moving(page), 'the next step').toBe(0);
  });
});

test('e_30 a name that is read from the right stays by itself', async ({ page, users }) => {
  const person = await arrived(users, 'נועה');
  await page.goto(`/admin/users?q=${encodeURIComponent('נועה')}`);
  const name = page.getByRole('table', { name: 'People' }).locator('bdi').filter({ hasText: 'נועה' }).first();
  expect(await name.evaluate((bdi) => getComputedStyle(bdi).direction)).toBe('rtl');
  expect(await page.evaluate(() => getComputedStyle(document.body).direction)).toBe('ltr');
  await page.goto(`/admin/users/${person.id}`);
  const heading = page.getByRole('heading', { level: 1 });
  expect(await heading.locator('bdi').evaluate((bdi) => getComputedStyle(bdi).direction)).toBe('rtl');
  // It begins where every other heading begins.
  const [own, all] = await Promise.all([heading.locator('bdi').boundingBox(), heading.boundingBox()]);
  expect(Math.abs(own!.x - all!.x)).toBeLessThanOrEqual(1);
});

/** How many animations there are that take any time. */
function moving(page: Page): Promise<number> {
  return page.evaluate(() => {
    return document.getAnimations().filter(({ effect }) => Number(effect?.getComputedTiming().duration) > 1).length;
  });
}
