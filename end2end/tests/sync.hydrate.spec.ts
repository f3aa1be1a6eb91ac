// The sync page as it keeps itself up to date: two browsers at once, paused, and with the pointer in the list.
import { randomUUID } from 'node:crypto';
import type { APIRequestContext, Page } from '@playwright/test';
import { Webhook } from 'svix';
import { signedUpAtClerk } from './support/clerk';
import { webhookSecret } from './support/data';
import { state } from './support/people';
import { expect, test } from './support/test';

test.use({ storageState: state('admin') });

/** Somebody signs up: what Clerk sends, signed. */
async function deliver(request: APIRequestContext): Promise<string> {
  const unique = randomUUID().replaceAll('-', '');
  const [id, clerkId, at] = [`msg_${unique}`, `user_${unique}`, new Date()];
  const data = { object: 'user', id: clerkId, email_addresses: [], created_at: at.getTime(), updated_at: at.getTime() };
  const body = JSON.stringify({ object: 'event', type: 'user.created', timestamp: at.getTime(), data });
  const headers = {
    'content-type': 'application/json',
    'svix-id': id,
    'svix-timestamp': String(Math.floor(at.getTime() / 1000)),
    'svix-signature': new Webhook(webhookSecret()).sign(id, at, body),
  };
  const answer = await request.post('/api/webhooks/clerk', { headers, data: body });
  expect(answer.status()).toBe(200);
  return clerkId;
}

async function open(page: Page): Promise<void> {
  await page.goto('/admin/sync');
  await expect(page.locator('#live-state')).toContainText('Live');
}

/** The same page in another tab of the same browser. */
async function opened(page: Page): Promise<Page> {
  const other = await page.context().newPage();
  await open(other);
  return other;
}

/** As the browser tells it when another tab is in front. */
async function hide(page: Page, isHidden: boolean): Promise<void> {
  await page.evaluate((isHidden) => {
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => isHidden });
    document.dispatchEvent(new Event('visibilitychange'));
  }, isHidden);
}

function row(page: Page, clerkId: string) {
  return page.getByRole('table', { name: 'Last 50 events' }).getByRole('row').filter({ hasText: clerkId });
}

test('an event that Clerk sends is in two browsers within a second', async ({ page, browser, request, complaints }) => {
  const other = await (await browser.newContext({ storageState: state('admin') })).newPage();
  await Promise.all([open(page), open(other)]);

  const clerkId = await signedUpAtClerk(request);

  // The echo of what is written back to Clerk comes as well.
  const created = (one: Page) => row(one, clerkId).filter({ hasText: 'user.created' });
  await Promise.all([page, other].map((one) => expect(created(one)).toContainText('applied', { timeout: 1_000 })));
  await expect(page.locator('#live-state')).toContainText(/updated (now|\d+ s ago)/);
  expect(complaints).toEqual([]);
  await other.context().close();
});

test('paused it stands still, and goes on with everything', async ({ page, context, request }) => {
  await open(page);
  const other = await context.newPage();
  await open(other);
  await page.getByRole('button', { name: 'Pause' }).click();
  const clerkId = await deliver(request);
  await expect(row(other, clerkId)).toContainText('applied');
  await expect(row(page, clerkId)).toHaveCount(0);

  await page.getByRole('button', { name: 'Go on' }).click();
  await expect(row(page, clerkId)).toContainText('applied');
});

test('nothing moves under the pointer', async ({ page, request }) => {
  await open(page);
  await deliver(request);
  const first = page.locator('#newest-rows tr').first();
  await first.hover();
  const before = await first.getAttribute('id');
  const clerkId = await deliver(request);

  // What other specs send meanwhile is among them.
  const waiting = page.getByRole('button', { name: /^\d+ new events?$/ });
  await expect(waiting).toBeVisible();
  await expect(row(await opened(page), clerkId)).toContainText('applied');
  await expect(row(page, clerkId)).toHaveCount(0);
  expect(await first.getAttribute('id')).toBe(before);
  await waiting.click();
  // However often word of it came.
  await expect(row(page, clerkId)).toHaveCount(1);
  await expect(row(page, clerkId)).toContainText('applied');
});

test('a hidden tab asks for nothing, and shows everything when it is seen again', async ({ page, request }) => {
  let streams = 0;
  page.on('request', (asked) => (streams += asked.url().endsWith('/admin/sync/live') ? 1 : 0));
  await open(page);
  const other = await opened(page);
  expect(streams).toBe(1);
  await hide(page, true);
  const clerkId = await deliver(request);
  await expect(row(other, clerkId)).toContainText('applied');
  await expect(row(page, clerkId)).toHaveCount(0);
  expect(streams).toBe(1);

  await hide(page, false);
  await expect(row(page, clerkId)).toContainText('applied');
  expect(streams).toBe(2);
});

test('e_07 refused for a moment, the stream is tried again by itself', async ({ page, request }) => {
  test.setTimeout(60_000);
  let refused = 0;
  await page.route('**/admin/sync/live', async (route) => {
    refused += 1;
    await (refused <= 2 ? route.fulfill({ status: 503 }) : route.continue());
  });
  await page.goto('/admin/sync');
  await expect(page.locator('#live-state')).toHaveText('Not live, trying again; or sign in again');
  const clerkId = await deliver(request);
  await expect(page.locator('#live-state')).toContainText('Live', { timeout: 20_000 });
  await expect(row(page, clerkId)).toContainText('applied');
});

test('e_16 with times of UTC a new event says when it came, as the others do', async ({ page, request }) => {
  await open(page);
  await page.evaluate(() => document.documentElement.setAttribute('data-times', 'utc'));
  const clerkId = await deliver(request);
  await expect(row(page, clerkId).first().locator('time')).toHaveText(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/);
  await expect(page.locator('[data-live="as-of"] time, .live-time time').first()).toHaveText(/ UTC$/);
});

test('a second word of a search has suggestions as well', async ({ page }) => {
  await page.goto('/admin/sync/events');
  const field = page.getByRole('combobox', { name: /^Search/ });
  await field.pressSequentially('type:user.created sta');
  await expect(page.locator('#event-words option[data-word="status:dead"]')).toHaveAttribute('value', 'type:user.created status:dead');
});

test('a chart says at the pointer what its table says', async ({ page, request, complaints }) => {
  await signedUpAtClerk(request);
  await expect
    .poll(async () => {
      await page.goto('/admin/sync');
      return page.locator('#chart-events tbody tr').count();
    })
    .toBeGreaterThan(0);
  const chart = page.locator('#chart-events');
  const last = chart.locator('tbody tr').last();
  const [at, place] = [await last.getByRole('rowheader', { includeHidden: true }).textContent(), await last.getAttribute('data-place')];
  await chart.locator('.chart-picture').scrollIntoViewIfNeeded();
  const box = (await chart.locator('.chart-picture').boundingBox())!;
  const points = 60;
  const across = 56 + ((Number(place) + 0.5) * (428 - 56)) / points;

  await page.mouse.move(box.x + (across / 440) * box.width, box.y + box.height / 2);

  await expect(chart.locator('.chart-said')).toContainText(`${at!.trim()}. applied: `);
  await page.mouse.move(box.x + 5, box.y - 5);
  await expect(chart.locator('.chart-said')).not.toContainText('applied');
  expect(complaints).toEqual([]);
});

test('charts can be read on a narrow phone', async ({ page }) => {
  await page.setViewportSize({ width: 320, height: 700 });
  await page.goto('/admin/sync');
  const sizes = await page
    .locator('#chart-events svg text')
    .evaluateAll((texts) => texts.map((text) => text.getBoundingClientRect().height));
  expect(Math.min(...sizes)).toBeGreaterThan(9);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(320);
});
