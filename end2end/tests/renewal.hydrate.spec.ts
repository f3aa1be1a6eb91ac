// A session's token runs out while a page is open: what is done on the page then works as if nothing had happened.
import type { BrowserContext, Page, TestInfo } from '@playwright/test';
import { place, secretKey } from './support/data';
import { admin, newcomer, signIn, signUp } from './support/people';
import { expect, test } from './support/test';

/** The shortest that Clerk makes, in seconds. */
const LIVES = 30;
/** So long the server allows for clocks that differ. */
const LEEWAY = 5;

/** Leaves the page with a token that has run out; its session goes on. */
async function outlive(page: Page, context: BrowserContext, info: TestInfo): Promise<void> {
  const cookies = (await context.cookies()).filter(({ name }) => name.startsWith('__session'));
  const claims = JSON.parse(Buffer.from(cookies[0]!.value.split('.')[1]!, 'base64url').toString());
  const made = await context.request.post(`${place(info.project.name).standin}/v1/sessions/${claims.sid}/tokens`, {
    headers: { authorization: `Bearer ${secretKey()}` },
    data: { expires_in_seconds: LIVES },
  });
  const { jwt } = await made.json();
  // With what a handshake leaves beside them the server could renew what it reads by itself.
  await context.clearCookies({ name: /^__refresh/ });
  await context.addCookies(cookies.map((cookie) => ({ ...cookie, value: jwt })));
  await expect
    .poll(async () => (await page.request.get('/api/me')).status(), { timeout: (LIVES + LEEWAY + 10) * 1_000, intervals: [1_000] })
    .toBe(401);
}

test('a form is sent with a renewed session, whatever was typed arrives', async ({ page, context, users, complaints }, info) => {
  test.slow();
  const person = newcomer();
  await signUp(page, person);
  await page.waitForURL('**/profile');
  // Without clerk-js on the page nobody renews anything by the way.
  await page.goto('/profile');
  await page.getByRole('textbox', { name: 'First name' }).fill('Augusta');
  await outlive(page, context, info);

  await page.getByRole('region', { name: 'Names' }).getByRole('button', { name: 'Save' }).click();

  await expect(page.getByRole('status')).toContainText(/saved|changed/i);
  await expect.poll(async () => (await users.findOne({ email: person.email }))?.firstName).toBe('Augusta');
  expect(complaints).toEqual([]);
});

test('an operator comes back to a dashboard that goes on', async ({ page, context, complaints }, info) => {
  test.slow();
  await signIn(page, admin);
  await page.goto('/admin/sync');
  await expect(page.locator('#live-state')).toContainText('Live');
  await page.getByRole('button', { name: 'Pause' }).click();
  await outlive(page, context, info);

  await page.getByRole('button', { name: 'Go on' }).click();

  await expect(page.locator('#live-state')).toContainText('Live');
  expect(complaints).toEqual([]);
});
