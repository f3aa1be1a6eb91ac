// What a person does, with Clerk's real code: the browser can reach nothing but this machine.
import type { Page } from '@playwright/test';
import { admin, newcomer, signIn, signOut, signUp } from './support/people';
import { expect, held, test } from './support/test';

test('sign up, be present in MongoDB, sign out; an admin sees the event', async ({ page, users, complaints }) => {
  const person = newcomer();

  await signUp(page, person);

  await page.waitForURL('**/profile');
  await expect(page.getByRole('heading', { name: 'Your profile', level: 1 })).toBeVisible();
  await expect(held(page, 'Name')).toContainText('Ada Lovelace');
  await expect(held(page, 'E-mail')).toContainText(person.email);

  const stored = await users.findOne({ email: person.email });
  expect(stored).toMatchObject({
    clerkId: expect.stringMatching(/^user_/),
    email: person.email,
    emailVerified: true,
    firstName: 'Ada',
    lastName: 'Lovelace',
    name: 'Ada Lovelace',
    role: 'user',
    syncStatus: 'active',
    authProvider: 'clerk',
    banned: false,
    locked: false,
    createdAt: expect.any(Date),
    updatedAt: expect.any(Date),
    lastClerkSync: expect.any(Date),
  });
  expect(stored?.deletedAt ?? null).toBeNull();
  expect(await users.countDocuments({ clerkId: stored?.clerkId })).toBe(1);

  await signOut(page);
  await page.goto('/profile');
  await expect(page).toHaveURL(/\/sign-in\?/);

  await signIn(page, admin);
  await page.goto('/admin/sync');
  const row = events(page).filter({ hasText: 'user.created' }).filter({ hasText: about(person.email, stored?.clerkId) });
  await expect(row.first()).toContainText(/applied/i, { timeout: 2_000 });
  expect(complaints).toEqual([]);
});

test('a reload keeps the session; sign out, sign in again', async ({ page }) => {
  const person = newcomer();
  await signUp(page, person);
  await page.waitForURL('**/profile');

  await page.reload();
  await expect(held(page, 'E-mail')).toContainText(person.email);

  await signOut(page);
  await signIn(page, person);
  await page.goto('/profile');
  await expect(held(page, 'E-mail')).toContainText(person.email);
});

test('sign-in leads back to the page that asked for it', async ({ page }) => {
  await page.goto('/admin/sync');
  await expect(page).toHaveURL(/\/sign-in\?redirect_url=/);
  await page.getByRole('textbox', { name: /^email address/i }).fill(admin.email);
  await page.getByRole('button', { name: 'Continue', exact: true }).click();
  await page.getByRole('textbox', { name: 'Password', exact: true }).fill(admin.password);
  await page.getByRole('button', { name: 'Continue', exact: true }).click();

  await expect(page.getByRole('heading', { name: 'Sync', level: 1 })).toBeVisible();
});

test('a wrong password is refused in words', async ({ page }) => {
  await page.goto('/sign-in');
  await page.getByRole('textbox', { name: /^email address/i }).fill(admin.email);
  await page.getByRole('button', { name: 'Continue', exact: true }).click();
  await page.getByRole('textbox', { name: 'Password', exact: true }).fill('not-the-password');
  await page.getByRole('button', { name: 'Continue', exact: true }).click();

  await expect(page.getByText(/password is incorrect/i).first()).toBeVisible();
});

test('a name edited in Clerk\'s component reaches MongoDB', async ({ page, users }) => {
  const person = newcomer();
  await signUp(page, person);
  await page.waitForURL('**/profile');

  await page.getByRole('link', { name: 'Sign-in and security' }).click();
  await page.getByRole('button', { name: 'Update profile' }).click();
  await page.getByRole('textbox', { name: 'First name' }).fill('Augusta');
  await page.getByRole('button', { name: 'Save' }).click();

  await expect
    .poll(async () => (await users.findOne({ email: person.email }))?.name, { timeout: 2_000 })
    .toBe('Augusta Lovelace');
  await page.goto('/profile');
  await expect(held(page, 'Name')).toContainText('Augusta Lovelace');
});

test('signing out needs no JavaScript', async ({ page, browser }) => {
  await signUp(page, newcomer());
  await page.waitForURL('**/profile');
  const plain = await browser.newContext({
    javaScriptEnabled: false,
    baseURL: new URL(page.url()).origin,
    storageState: await page.context().storageState(),
  });
  const other = await plain.newPage();
  await other.goto('/profile');

  await signOut(other);

  await other.goto('/profile');
  await expect(other).toHaveURL(/\/sign-in\?/);
  await plain.close();
});

test('the theme switch turns the page over and is remembered', async ({ page }) => {
  // From the system's choice the switch goes to light.
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.goto('/');
  const background = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const before = await background();

  await page.getByRole('button', { name: /theme/i }).click();

  // By the attribute first: a script asked while the page is being replaced would fail.
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'light');
  await expect.poll(background).not.toBe(before);
  const after = await background();
  await page.reload();
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'light');
  await expect.poll(background).toBe(after);
});

function events(page: Page) {
  return page.getByRole('table', { name: 'Last 50 events' }).getByRole('row');
}

/** Finds a row by any of the ways in which it may name a person. */
function about(...names: string[]): RegExp {
  return new RegExp(names.map((name) => name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|'));
}
