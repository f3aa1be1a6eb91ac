// Every word that the mirror can have, and a run in each of its states, come to as an operator comes to them: with a server, a
// Clerk and a database of their own. No barrier by axe in any look, and a picture of each.
import { MongoClient, type Db, type Document } from 'mongodb';
import type { Browser, Page } from '@playwright/test';
import { lookAt } from './support/barriers';
import { secretKey } from './support/data';
import { admin, signIn } from './support/people';
import { OwnServer } from './support/server';
import { expect, test } from './support/test';

const PEOPLE = 8_000;
const MINUTE = 60_000;
const ENDS = ['failed', 'stopped', 'cancelled'];

type Row = Document & { _id: string };

test('each word and each state of a run, from an empty database on', async ({ browser }) => {
  test.setTimeout(400_000);
  const server = new OwnServer('e2e_words', PEOPLE);
  const client = await MongoClient.connect(server.mongodb);
  const database = client.db();
  await database.dropDatabase();
  try {
    await server.start();
    // Clerk has no endpoint yet.
    await lever(server, { disabled: true });
    const page = await signedIn(browser, server);
    await said(page, 'Waiting');
    await expect(page.getByRole('heading', { name: 'Connect Clerk in three steps' })).toBeVisible();
    await lookAt(page, 'word-waiting');

    // The endpoint's secret at Clerk is another than ours.
    await lever(server, { signing_secret: `whsec_${Buffer.alloc(24, 7).toString('base64')}` });
    await newcomer(server);
    await said(page, 'Broken');
    await lookAt(page, 'word-broken');
    await lever(server, {});

    // A Clerk that takes its time, so that there is time to look.
    await lever(server, { bapi_delay_ms: 3_000 });
    await begin(page, 'backfill');
    await expect(page.getByText(/a second, about/)).toBeVisible({ timeout: 30_000 });
    await lookAt(page, 'runs-running');
    await page.getByRole('link', { name: 'Going on: backfill' }).click();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Run: backfill');
    await lookAt(page, 'run-running');
    await page.getByRole('button', { name: 'Pause' }).click();
    await expect(page.getByRole('status').first()).toContainText('The backfill is paused.', { timeout: 30_000 });
    await page.goto(page.url());
    await lookAt(page, 'run-paused');
    await page.goto('/admin/sync/runs');
    await lookAt(page, 'runs-paused');
    await lever(server, {});
    await page.getByRole('link', { name: 'backfill' }).first().click();
    await page.getByRole('button', { name: 'Resume' }).click();
    await ended(database, 'backfill');
    await otherEnds(database);
    await page.goto('/admin/sync/runs');
    for (const end of ['done', 'failed', 'stopped', 'cancelled']) {
      await expect(page.getByRole('row').filter({ hasText: end }).first()).toBeVisible();
    }
    await lookAt(page, 'runs-ended');
    for (const end of ['failed', 'stopped']) {
      await page.goto(`/admin/sync/runs/run_${end}`);
      await lookAt(page, `run-${end}`);
    }
    await database.collection<Row>('runs').deleteMany({ _id: { $in: ENDS.map((end) => `run_${end}`) } });

    await newcomer(server);
    await said(page, 'Healthy');
    await lookAt(page, 'word-healthy');

    // Acknowledged, and no process comes to it.
    const events = database.collection<Row>('events');
    const newest = (await events.findOne({}, { sort: { receivedAt: -1 } }))!;
    const waits = { _id: 'msg_waits', state: 'received', decision: null, finishedAt: null, attempts: 0 };
    const [ago, later] = [new Date(Date.now() - MINUTE), new Date(Date.now() + 60 * MINUTE)];
    await events.insertOne({ ...newest, ...waits, receivedAt: ago, dueAt: later });
    await said(page, 'Behind');
    await lookAt(page, 'word-behind');
    await events.deleteOne({ _id: 'msg_waits' });

    await begin(page, 'reconcile');
    await ended(database, 'reconcile');
    await drifted(database);
    await begin(page, 'proof');
    await ended(database, 'proof');
    await said(page, 'Degraded');
    await lookAt(page, 'word-degraded');
    await page.getByRole('link', { name: 'Look at the proof' }).click();
    await expect(page.getByRole('table', { name: /MongoDB differed from Clerk/ })).toContainText('Bring up to date');
    await lookAt(page, 'run-differences');

    await page.getByRole('button', { name: 'Bring up to date' }).first().click();
    await page.getByRole('dialog').getByRole('button', { name: 'Bring up to date' }).click();
    await expect(page.getByRole('table', { name: /MongoDB differed from Clerk/ })).toContainText('Brought up to date');
    await lookAt(page, 'run-mended');

    // Somebody changed what the trail says.
    await database.collection('audit').updateOne({ action: 'start_run' }, { $set: { subject: 'another run' } });
    await page.goto('/admin/sync/audit');
    await page.getByRole('button', { name: 'Verify the chain' }).click();
    await expect(page.getByText(/broken at entry/)).toBeVisible();
    await lookAt(page, 'audit-broken');

    await silenced(database);
    await said(page, 'Silent', 60_000);
    await lookAt(page, 'word-silent');

    // What is shown stays, and says that it is not live any more.
    await expect(page.locator('#live-state')).toContainText('Live');
    await server.kill();
    await expect(page.locator('#live-state')).not.toContainText('Live');
    await lookAt(page, 'not-live');
    await page.context().close();
  } finally {
    await database.dropDatabase();
    await client.close();
    await server.remove();
  }
});

test('without MongoDB every page says so, with what to do and an id for the operator', async ({ browser }) => {
  test.setTimeout(180_000);
  const server = new OwnServer('rollcall', 3, true);
  try {
    await server.start();
    const page = await signedIn(browser, server);
    server.killMongodb();
    for (const [name, path] of [
      ['overview', '/admin/sync'],
      ['events', '/admin/sync/events'],
      ['runs', '/admin/sync/runs'],
    ]) {
      const answer = await page.goto(path!);
      expect(answer?.status()).toBe(503);
      await expect(page.getByRole('heading', { level: 1 })).toHaveText('Not available right now');
      await expect(page.getByText('Tell an operator this id')).toBeVisible();
      if (name === 'overview') await lookAt(page, 'no-mongodb');
    }
    await page.context().close();
  } finally {
    await server.remove();
  }
});

async function signedIn(browser: Browser, server: OwnServer): Promise<Page> {
  const page = await (await browser.newContext({ baseURL: server.url })).newPage();
  await signIn(page, admin);
  return page;
}

/** The word is there, on a page that is live. */
async function said(page: Page, word: string, timeout = 20_000): Promise<void> {
  // The page of a run that has just ended loads itself anew, which may be at this very moment.
  await expect(() => page.goto('/admin/sync')).toPass();
  await expect(page.locator('[data-live="word"]')).toHaveText(word, { timeout });
  await expect(page.locator('#live-state')).toContainText('Live');
}

async function begin(page: Page, kind: string): Promise<void> {
  await page.goto('/admin/sync/runs');
  await page.getByRole('button', { name: `Begin a ${kind}` }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Begin', exact: true }).click();
  await expect(page.getByRole('status').first()).toContainText('begins within seconds');
}

async function ended(database: Db, kind: string): Promise<void> {
  const state = async () => (await database.collection('runs').findOne({ kind }, { sort: { startedAt: -1 } }))?.state;
  await expect.poll(state, { timeout: 120_000, intervals: [500] }).toBe('done');
}

/** Sets all levers of its Clerk; those that are not named are as they were made. */
async function lever(server: OwnServer, levers: object): Promise<void> {
  const usual = { bapi_delay_ms: 0, signing_secret: null, disabled: false };
  await server.lever({ ...usual, ...levers });
}

/** Somebody signs up at its Clerk. */
async function newcomer(server: OwnServer): Promise<void> {
  const answer = await fetch(`${server.standin}/v1/users`, {
    method: 'POST',
    headers: { authorization: `Bearer ${secretKey()}`, 'content-type': 'application/json' },
    body: JSON.stringify({ first_name: 'Nia', email_address: [`nia-${Date.now()}@example.com`], skip_password_requirement: true }),
  });
  expect(answer.ok).toBe(true);
}

/** Twins of the run that is done, which came to other ends. */
async function otherEnds(database: Db): Promise<void> {
  const runs = database.collection<Row>('runs');
  const done = (await runs.findOne({ kind: 'backfill', state: 'done' }))!;
  const twins = ENDS.map((state, index) => {
    const at = new Date(done.startedAt.getTime() - (index + 1) * MINUTE);
    const skipped = state === 'failed' ? 2 : 0;
    const counts = { ...done.progress.counts, skipped };
    return { ...done, _id: `run_${state}`, state, cause: 'Clerk answered with 503', startedAt: at, progress: { ...done.progress, counts } };
  });
  await runs.insertMany(twins);
  const skipped = { runId: 'run_failed', runKind: 'backfill', at: new Date(), dryRun: false, fields: [], kind: null };
  await database.collection<Row>('findings').insertMany(
    ['user_one', 'user_two'].map((clerkId) => {
      return { ...skipped, _id: `run_failed:s:${clerkId}`, clerkId, reason: 'MongoDB refused (code 121)' };
    }),
  );
}

/** Somebody wrote into the mirror by hand. */
async function drifted(database: Db): Promise<void> {
  const users = database.collection('users');
  const three = await users.find({ deletedAt: null, role: 'user' }).limit(3).toArray();
  const [one, two, three_] = three.map((user) => user._id);
  await users.updateOne({ _id: one }, { $set: { firstName: 'Somebody', name: 'Somebody Else' } });
  await users.updateOne({ _id: two }, { $set: { banned: true } });
  await users.deleteOne({ _id: three_ });
}

/** Two days of many events an hour, and then nothing for twenty minutes. */
async function silenced(database: Db): Promise<void> {
  const now = Math.floor(Date.now() / 1_000);
  const start = now - (now % 3_600);
  const hours = Array.from({ length: 48 }, (_, back) => start - (back + 1) * 3_600);
  const id = (second: number) => `hour:${String(second).padStart(12, '0')}`;
  const rows = hours.map((at) => ({ _id: id(at), at: new Date(at * 1_000), received: 500n, ended: { applied: 500n } }));
  // The last hour has a row of its own where the hour was full while this ran.
  const replaced = rows.map((row) => ({ replaceOne: { filter: { _id: row._id }, replacement: row, upsert: true } }));
  await database.collection<Row>('statistics').bulkWrite(replaced);
  await database.collection('events').updateMany({}, { $set: { receivedAt: new Date(Date.now() - 20 * MINUTE) } });
}
