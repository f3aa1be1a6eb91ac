// What an operator does about events: a poisoned one is found, understood, repaired and replayed, by mouse and by keyboard
// alone; a run is begun, paused, resumed and cancelled. With and without JavaScript.
import { randomUUID } from 'node:crypto';
import type { APIRequestContext, Route } from '@playwright/test';
import { type Db, MongoClient } from 'mongodb';
import { Webhook } from 'svix';
import { mongodbUri, webhookSecret } from './support/data';
import { tabTo } from './support/keyboard';
import { state } from './support/people';
import { expect, test } from './support/test';

test.use({ storageState: state('admin') });
// One validator, one run at a time, one Clerk.
test.describe.configure({ mode: 'serial' });

let client: MongoClient;
let database: Db;

test.beforeAll(async () => {
  client = await MongoClient.connect(mongodbUri());
  database = client.db();
});

test.afterAll(async () => {
  await client.close();
});

test('a poisoned event is found, understood, repaired and replayed by mouse', async ({ page, request, complaints }) => {
  const poison = await poisoned(request);

  await page.goto('/admin/sync');
  await page.getByRole('navigation', { name: 'Sync pages' }).getByRole('link', { name: 'Failures' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Failures');
  const group = page.getByRole('listitem').filter({ hasText: 'MongoDB refused (code 121)' });
  await expect(group).toContainText('validator');
  await group.getByRole('link', { name: /^Show them/ }).click();
  await page.getByRole('link', { name: poison.id }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(`Event ${poison.id}`);
  await expect(page.getByLabel('Payload')).toContainText('•••');
  await expect(page.getByLabel('Payload')).not.toContainText('Poison');
  await page.getByRole('button', { name: 'Show all of it once' }).click();
  await expect(page.getByLabel('Payload')).toContainText('Poison');

  await poison.repaired();
  await page.getByRole('link', { name: 'Preview a replay' }).click();
  await expect(page.getByRole('heading', { name: 'What a replay would do now' })).toBeVisible();
  const preview = page.locator('#replay');
  await expect(preview).toContainText('applied');
  await expect(preview).toContainText('everything');
  await expect(preview.getByLabel('Send mails and webhooks for what changes')).not.toBeChecked();
  expect(await database.collection('users').countDocuments({ clerkId: poison.clerkId })).toBe(0);
  await preview.getByLabel(/^Reason/).fill('the validator is gone');
  await preview.getByRole('button', { name: 'Replay it' }).click();
  await expect(page.getByRole('status').first()).toContainText('Replayed: applied');
  await expect(page.getByRole('table', { name: 'Audit trail of this event' })).toContainText('the validator is gone');
  expect(await database.collection('users').countDocuments({ clerkId: poison.clerkId })).toBe(1);
  expect(complaints).toEqual([]);
});

test('the same by keyboard alone', async ({ page, request }) => {
  const poison = await poisoned(request);

  await page.goto('/admin/sync');
  await tabTo(page, /^Failures$/);
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Failures');
  await tabTo(page, /^Show them.*code 121/);
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Events');
  await tabTo(page, new RegExp(`^${poison.id}`));
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(`Event ${poison.id}`);
  await expect(page.getByRole('main')).toContainText('MongoDB refused (code 121)');
  await poison.repaired();
  await tabTo(page, /^Preview a replay$/);
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { name: 'What a replay would do now' })).toBeVisible();
  await tabTo(page, /^Replay it$/);
  await page.keyboard.press('Enter');
  await expect(page.getByRole('status').first()).toContainText('Replayed: applied');
});

test('those that are picked are previewed before they are replayed', async ({ page }) => {
  await page.goto('/admin/sync/events?type=user.created');
  await page.getByRole('checkbox', { name: /^Pick msg_/ }).first().check();
  await page.getByRole('button', { name: 'Preview a replay of those picked' }).click();
  await expect(page.getByRole('table', { name: 'What would happen' }).getByRole('row')).toHaveCount(2);
  await expect(page.getByRole('main')).toContainText('1 event: the event msg_');
});

test('a run is begun, paused, resumed and cancelled', async ({ page, request, javaScriptEnabled }) => {
  const levers = `${process.env.E2E_STANDIN}/__standin/levers`;
  await request.patch(levers, { data: { bapi_delay_ms: 2_000 } });
  try {
    await page.goto('/admin/sync/runs');
    await page.getByRole('button', { name: 'Begin a reconcile' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Begin', exact: true }).click();
    await expect(page.getByRole('heading', { name: 'Going on: reconcile' })).toBeVisible();
    await expect(page.getByRole('progressbar', { name: 'Progress of the run' })).toBeVisible();
    await page.getByRole('link', { name: 'Going on: reconcile' }).click();
    // The page, which keeps itself fresh, sees that it is paused before the answer comes that says so.
    if (javaScriptEnabled !== false) await page.route('**/api/runs/control_run', late, { times: 1 });
    await page.getByRole('button', { name: 'Pause' }).click();
    await expect(page.getByRole('status').first()).toContainText('The reconcile is paused.', { timeout: 20_000 });
    await page.getByRole('button', { name: 'Resume' }).click();
    await expect(page.getByRole('status').first()).toContainText('The reconcile is running.');
    await page.getByRole('button', { name: 'Cancel the run' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel the run' }).click();
    await expect(page.getByRole('status').first()).toContainText('The reconcile is cancelled.', { timeout: 20_000 });
  } finally {
    await request.patch(levers, { data: { bapi_delay_ms: 0 } });
  }
});

/** Carries a form to the server, and its answer back once the page behind it was looked at twice. */
async function late(route: Route): Promise<void> {
  const answer = await route.fetch({ maxRedirects: 0 });
  const page = route.request().frame().page();
  for (let look = 0; look < 2; look++) await page.waitForResponse((response) => response.url() === page.url());
  await route.fulfill({ response: answer });
}

/** Somebody whom MongoDB refuses, until it is repaired. */
async function poisoned(request: APIRequestContext) {
  const [users] = await database.listCollections({ name: 'users' }).toArray();
  const own = (users as { options?: { validator?: object } }).options?.validator ?? {};
  await database.command({ collMod: 'users', validator: { $and: [own, { firstName: { $ne: 'Poison' } }] } });
  const clerkId = `user_${randomUUID().replaceAll('-', '')}`;
  const id = `msg_${randomUUID().replaceAll('-', '')}`;
  const at = new Date();
  const body = JSON.stringify({
    object: 'event',
    type: 'user.created',
    timestamp: at.getTime(),
    data: { object: 'user', id: clerkId, first_name: 'Poison', created_at: at.getTime(), updated_at: at.getTime() },
  });
  const headers = {
    'content-type': 'application/json',
    'svix-id': id,
    'svix-timestamp': String(Math.floor(at.getTime() / 1000)),
    'svix-signature': new Webhook(webhookSecret()).sign(id, at, body),
  };
  expect((await request.post('/api/webhooks/clerk', { headers, data: body })).status()).toBe(200);
  await expect
    .poll(async () => (await database.collection<{ _id: string; state: string }>('events').findOne({ _id: id }))?.state)
    .toMatch(/failed|dead/);
  // The next attempt of its own accord comes later than this test.
  await database
    .collection<{ _id: string }>('events')
    .updateOne({ _id: id }, { $set: { dueAt: new Date(Date.now() + 600_000) } });
  return { clerkId, id, repaired: () => database.command({ collMod: 'users', validator: own }) };
}
