// A session's token runs out while a page is open: what is done on the page then works as if nothing had happened.
import type { BrowserContext, Page, TestInfo } from '@playwright/test';
import { aged } from './support/data';
import { admin, newcomer, signIn, signUp } from './support/people';
import { expect, test } from './support/test';

const TWO_MINUTES = 120;

/** Leaves the page with a token that has run out; its session goes on. */
async function outlive(page: Page, context: BrowserContext, info: TestInfo): Promise<void> {
  const cookies = (await context.cookies()).filter(({ name }) => name.startsWith('__session'));
  // With what a handshake leaves beside them the server could renew what it reads by itself.
  await context.clearCookies({ name: /^__refresh/ });
  await context.addCookies(cookies.map((cookie) => ({ ...cookie, value: aged(cookie.value, TWO_MINUTES, info.project.name) })));
  expect((await page.request.get('/api/me')).status()).toBe(401);
}

/** Somebody who has typed a new first name when their token runs out. */
async function typeAndOutlive(page: Page, context: BrowserContext, info: TestInfo): Promise<{ email: string }> {
  const person = newcomer();
  await signUp(page, person);
  await page.waitForURL('**/profile');
  // Without clerk-js on the page nobody renews anything by the way.
  await page.goto('/profile');
  await page.getByRole('textbox', { name: 'First name' }).fill('Augusta');
  await outlive(page, context, info);
  return person;
}

test('a form is sent with a renewed session, whatever was typed arrives', async ({ page, context, users, complaints }, info) => {
  const person = await typeAndOutlive(page, context, info);

  await page.getByRole('region', { name: 'Names' }).getByRole('button', { name: 'Save' }).click();

  await expect(page.getByRole('status')).toContainText(/saved|changed/i);
  await expect.poll(async () => (await users.findOne({ email: person.email }))?.firstName).toBe('Augusta');
  expect(complaints).toEqual([]);
});

test('a form that is refused all the same comes back with a renewed session, and is sent once more', async ({ page, context, users }, info) => {
  const person = await typeAndOutlive(page, context, info);
  // Clerk does not answer the page, only the browser on its way through the handshake.
  let asked = 0;
  await page.route('**/v1/client/sessions/*/tokens*', async (route) => {
    asked += 1;
    await route.abort();
  });
  const sent: string[] = [];
  page.on('request', (request) => {
    if (request.method() === 'POST' && request.isNavigationRequest()) sent.push(new URL(request.url()).search);
  });

  await page.getByRole('region', { name: 'Names' }).getByRole('button', { name: 'Save' }).click();

  await expect(page.getByRole('status')).toContainText(/saved|changed/i);
  await expect.poll(async () => (await users.findOne({ email: person.email }))?.firstName).toBe('Augusta');
  expect(asked).toBeGreaterThan(0);
  expect(sent).toEqual(['', '?again']);
});

test('an operator comes back to a dashboard that goes on', async ({ page, context, complaints }, info) => {
  await signIn(page, admin);
  await page.goto('/admin/sync');
  await expect(page.locator('#live-state')).toContainText('Live');
  await page.getByRole('button', { name: 'Pause' }).click();
  await outlive(page, context, info);

  await page.getByRole('button', { name: 'Go on' }).click();

  await expect(page.locator('#live-state')).toContainText('Live');
  expect(complaints).toEqual([]);
});

test('d5_25 a cookie that another host set leads no renewal to another address of Clerk', async ({ page }) => {
  await signUp(page, newcomer());
  await page.waitForURL('**/profile');
  await page.goto('/profile');
  const asked: string[] = [];
  page.on('request', (request) => asked.push(new URL(request.url()).pathname));
  const forged = `x.${btoa(JSON.stringify({ sid: '../../me?_method=DELETE&x=', exp: 1 }))}.x`;
  await page.evaluate((forged) => {
    const names = document.cookie.split('; ').map((pair) => pair.split('=')[0] ?? '');
    for (const name of names.filter((name) => name.startsWith('__session'))) document.cookie = `${name}=${forged}; path=/profile`;
  }, forged);

  await page.getByRole('textbox', { name: 'First name' }).fill('Augusta');
  await page.getByRole('region', { name: 'Names' }).getByRole('button', { name: 'Save' }).click();

  await expect.poll(() => asked).toContain('/api/profile/edit_profile');
  expect(asked.filter((path) => path.startsWith('/v1/me'))).toEqual([]);
});
