// What a session lives through, with Clerk's real code: in the project "javascript" beside a Clerk like a development
// instance, in "production" beside one like a production instance.
import type { BrowserContext, TestInfo } from '@playwright/test';
import { aged, place } from './support/data';
import { newcomer, signOut, signUp } from './support/people';
import { expect, held, test } from './support/test';

const SESSION = /^__session/;
const SIGNED_IN_AT = /^__client_uat/;
const TWO_MINUTES = 120;

test('sign up; a session is known by the cookies of such an instance', async ({ page, users, complaints }, info) => {
  const person = newcomer();

  await signUp(page, person);

  await page.waitForURL('**/profile');
  await expect(held(page, 'E-mail')).toContainText(person.email);
  expect(await users.countDocuments({ email: person.email, syncStatus: 'active' })).toBe(1);
  const names = (await page.context().cookies()).map(({ name }) => name);
  const isProduction = info.project.name === 'production';
  expect(names.some((name) => name.startsWith('__clerk_db_jwt'))).toBe(!isProduction);
  expect(names.includes('__client')).toBe(isProduction);
  expect(names).toContain('__session');
  expect(complaints).toEqual([]);
});

test('an expired session comes back through the handshake, and the next time without leaving', async ({ page, complaints }, info) => {
  const person = newcomer();
  await signUp(page, person);
  await page.waitForURL('**/profile');
  const handshakes: string[] = [];
  page.on('request', (request) => {
    if (request.url().includes('/v1/client/handshake')) handshakes.push(request.url());
  });

  await expire(page.context(), info);
  await page.goto('/people?q=ada');

  await expect(page).toHaveURL(/\/people\?q=ada$/);
  await expect(page.getByRole('heading', { name: 'People', level: 1 })).toBeVisible();
  expect(handshakes).toHaveLength(1);

  // The handshake left a refresh token, with which our server has the session renewed by itself.
  await expire(page.context(), info);
  await page.goto('/profile');
  await expect(held(page, 'E-mail')).toContainText(person.email);
  expect(handshakes).toHaveLength(1);
  expect(complaints).toEqual([]);
});

test('signed out in another tab, the next click leads to the sign-in page', async ({ page }) => {
  await signUp(page, newcomer());
  await page.waitForURL('**/profile');
  const other = await page.context().newPage();
  await other.goto('/');

  await signOut(other);
  await page.getByRole('link', { name: 'Your data' }).first().click();

  await expect(page).toHaveURL(/\/sign-in/);
  await expect(page.getByRole('banner').getByRole('button', { name: 'Sign out' })).toHaveCount(0);
});

test('d5_16 after sign-out the Back button shows nothing of anybody', async ({ page }) => {
  const person = newcomer();
  await signUp(page, person);
  await page.waitForURL('**/profile');
  await expect(held(page, 'E-mail')).toContainText(person.email);
  await signOut(page);

  await page.goBack();

  await expect(page.getByRole('banner').getByRole('link', { name: 'Sign in' })).toBeVisible();
  await expect(page.getByText(person.email)).toHaveCount(0);
  await expect(page.getByText('Lovelace')).toHaveCount(0);
});

test('a role is in force at the next click, and so is its end', async ({ page, users }, info) => {
  const person = newcomer();
  await signUp(page, person);
  await page.waitForURL('**/profile');
  const clerkId = (await users.findOne({ email: person.email }))?.clerkId;
  const sync = page.getByRole('banner').getByRole('link', { name: 'Sync' });
  const become = async (role: string) => {
    await atClerk(info, `users/${clerkId}`, 'PATCH', { public_metadata: { role } });
    await expect.poll(async () => (await users.findOne({ clerkId }))?.role).toBe(role);
  };

  await become('admin');
  await page.getByRole('link', { name: 'Profile' }).first().click();
  await expect(sync).toBeVisible();
  await sync.click();
  await expect(page.getByRole('heading', { name: 'Sync', level: 1 })).toBeVisible();

  await become('user');
  await page.getByRole('link', { name: 'Events' }).first().click();
  await expect(page.getByRole('heading', { name: 'Admins only' })).toBeVisible();
  await expect(sync).toHaveCount(0);
});

test('a ban shuts out at the next click', async ({ page, users }, info) => {
  const person = newcomer();
  await signUp(page, person);
  await page.waitForURL('**/profile');
  const clerkId = (await users.findOne({ email: person.email }))?.clerkId;

  await atClerk(info, `users/${clerkId}/ban`, 'POST');
  await expect.poll(async () => (await users.findOne({ clerkId }))?.banned).toBe(true);
  await page.getByRole('link', { name: 'Your data' }).first().click();

  await expect(page.getByText(person.email)).toHaveCount(0);
  await expect(page.getByRole('heading', { name: /Not allowed|Sign in/ }).first()).toBeVisible();
  await page.goto('/people');
  await expect(page.getByRole('heading', { name: 'People', level: 1 })).toHaveCount(0);
});

test("a picture chosen in Clerk's own component arrives by webhook", async ({ page, users }) => {
  const person = newcomer();
  await signUp(page, person);
  await page.waitForURL('**/profile');
  const before = (await users.findOne({ email: person.email }))?.imageUrl;

  await page.getByRole('link', { name: 'Sign-in and security' }).click();
  await page.getByRole('button', { name: 'Update profile' }).click();
  await page.locator('.clerk-widget input[type=file]').setInputFiles({ name: 'me.png', mimeType: 'image/png', buffer: pixel() });

  await expect.poll(async () => (await users.findOne({ email: person.email }))?.imageUrl).not.toBe(before);
});

/** Lets the browser's session be two minutes older, its token too. */
async function expire(context: BrowserContext, info: TestInfo): Promise<void> {
  const cookies = await context.cookies();
  const tokens = cookies.filter(({ name }) => SESSION.test(name));
  expect(tokens.length).toBeGreaterThan(0);
  const older = tokens.map((cookie) => ({ ...cookie, value: aged(cookie.value, TWO_MINUTES, info.project.name) }));
  // A token from before the sign-in would be no token of this session.
  const since = cookies.filter(({ name }) => SIGNED_IN_AT.test(name));
  const earlier = since.map((cookie) => ({ ...cookie, value: `${Number(cookie.value) - TWO_MINUTES}` }));
  await context.addCookies([...older, ...earlier]);
}

/** What somebody does at Clerk. */
async function atClerk(info: TestInfo, path: string, method: string, body: object = {}): Promise<void> {
  const answer = await fetch(`${place(info.project.name).standin}/__standin/${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(answer.status).toBe(200);
}

/** The smallest picture there is. */
function pixel(): Buffer {
  const png = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
  return Buffer.from(png, 'base64');
}
