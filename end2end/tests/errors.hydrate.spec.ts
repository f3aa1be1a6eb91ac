// What people see when something is not as it should be: no barrier by axe, and a picture of each.
import { MongoClient } from 'mongodb';
import type { Page } from '@playwright/test';
import { lookAt, looks } from './support/barriers';
import { impersonated } from './support/data';
import { admin, signIn, state } from './support/people';
import { OwnServer } from './support/server';
import { expect, test } from './support/test';

/** A page without colours of its own has the browser's, of which axe takes the dark ground for white. */
const BARE = looks.map((look) => ({ ...look, colorScheme: 'light' as const }));
/** What one address may ask in a minute here, and more than that. */
const [LIMIT, FLOOD] = [240, 300];

test('e_03 Clerk is slow, Clerk is away, and one address asks for too much: each is said on a page', async ({ browser }) => {
  test.setTimeout(180_000);
  const server = new OwnServer('e2e_errors', 3, false, { ROLLCALL_REQUEST_TIMEOUT: '3', ROLLCALL_ADDRESS_REQUESTS: `${LIMIT}` });
  const client = await MongoClient.connect(server.mongodb);
  await client.db().dropDatabase();
  try {
    await server.start();
    const context = await browser.newContext({ baseURL: server.url });
    const page = await context.newPage();
    await signIn(page, admin);

    await server.lever({ bapi_delay_ms: 8_000 });
    expect((await page.goto('/profile/sessions'))?.status()).toBe(503);
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Not answered in time');
    await expect(page.getByRole('main')).toContainText(/Try again in \d+ s\./);
    await lookAt(page, 'error-slow', { among: BARE });

    await server.lever({ bapi_delay_ms: 0, bapi_status: 503 });
    expect((await page.goto('/profile/sessions'))?.status()).toBe(503);
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Not available right now');
    await expect(page.getByText('Tell an operator this id')).toBeVisible();
    await expect(page.getByRole('link', { name: 'Load again' })).toHaveAttribute('href', '/profile/sessions');
    await lookAt(page, 'error-clerk-away');
    // It is a page like any other: the way to the rest of one's account is still there.
    await page.getByRole('banner').getByRole('link', { name: 'Profile' }).click();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Your profile');

    // A slow machine gives back in the meantime what was taken.
    await expect(async () => {
      await Promise.all(Array.from({ length: FLOOD }, async () => (await fetch(`${server.url}/favicon.svg`)).arrayBuffer()));
      expect((await page.goto('/people'))?.status()).toBe(429);
    }).toPass({ timeout: 60_000 });
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Too many requests');
    await expect(page.getByRole('main')).toContainText(/Try again in \d+ s\./);
    await lookAt(page, 'error-too-many', { among: BARE });
    await context.close();
  } finally {
    await server.remove();
    await client.db().dropDatabase();
    await client.close();
  }
});

test('e_04 where people sign in it says that Clerk is on its way', async ({ page }) => {
  // What Clerk's component asks first is never answered; the way back from a handshake is.
  await page.route(({ pathname }) => pathname.startsWith('/v1/') && !pathname.endsWith('/handshake'), () => undefined);
  await page.goto('/sign-in');
  await expect(page.getByText('Loading…', { exact: true })).toBeVisible();
  await expect(page.locator('.clerk-widget')).toHaveAttribute('aria-busy', 'true');
  await expect(page.getByRole('alert')).toHaveCount(0);
  await lookAt(page, 'sign-in-loading');
});

test('e_03 where people sign in it says that Clerk did not come, and what to do', async ({ page }) => {
  await page.route(/\/clerk\.browser\.js/, (route) => route.abort());
  await page.goto('/sign-in');
  await expect(page.getByRole('alert')).toContainText('could not be loaded. Check the connection and load the page again.');
  await expect(page.getByText('Loading…', { exact: true })).toBeHidden();
  await expect(page.locator('.clerk-widget')).toHaveAttribute('aria-busy', 'false');
  await lookAt(page, 'sign-in-failed');
});

test.describe('somebody acts in the place of another', () => {
  test.use({ storageState: state('user') });

  test('d4_17 every page says so, and as whom', async ({ page, users }) => {
    const by = (await users.findOne({ email: admin.email }))?.clerkId;
    const person = await users.findOne({ email: 'user@example.com' });
    await page.goto('/profile');
    await expect(banner(page)).toHaveCount(0);
    const tokens = (await page.context().cookies()).filter(({ name }) => name.startsWith('__session'));
    expect(tokens.length).toBeGreaterThan(0);
    await page.context().addCookies(tokens.map((cookie) => ({ ...cookie, value: impersonated(cookie.value, by) })));
    for (const path of ['/', '/people', '/profile']) {
      await page.goto(path);
      await expect(banner(page)).toContainText(`You act as ${person?.name}, and are ${by}`);
    }
    await expect(banner(page).locator('bdi')).toHaveText(person?.name);
    await lookAt(page, 'impersonated');
  });
});

function banner(page: Page) {
  return page.getByRole('complementary', { name: 'Impersonation' });
}
