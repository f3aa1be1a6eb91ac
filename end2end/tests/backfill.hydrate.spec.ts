// A backfill of fifty thousand people: watched in two browsers, one of them without JavaScript, paused, killed with the server,
// and resumed where it was. With a server, a Clerk and a database of its own.
import { MongoClient } from 'mongodb';
import type { Page } from '@playwright/test';
import { admin, signIn } from './support/people';
import { OwnServer } from './support/server';
import { expect, test } from './support/test';

const PEOPLE = 50_000;
/** A page of Clerk's list, between two checkpoints. */
const A_PAGE = 500;

test('a backfill of 50 000 is watched, paused, killed with the server and resumed', async ({ browser }) => {
  test.setTimeout(600_000);
  const server = new OwnServer('e2e_backfill', PEOPLE);
  const client = await MongoClient.connect(server.mongodb);
  const users = client.db().collection('users');
  await client.db().dropDatabase();
  try {
    await server.start();
    const context = await browser.newContext({ baseURL: server.url });
    const page = await context.newPage();
    await signIn(page, admin);
    await page.goto('/admin/sync/runs');
    await page.getByRole('button', { name: 'Begin a backfill' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Begin', exact: true }).click();
    await expect(page.getByRole('heading', { name: 'Going on: backfill' })).toBeVisible();

    // Watched: the number grows by itself, and at every load without JavaScript.
    const plain = await (
      await browser.newContext({ baseURL: server.url, javaScriptEnabled: false, storageState: await context.storageState() })
    ).newPage();
    await grows(page, () => Promise.resolve());
    await grows(plain, () => plain.goto('/admin/sync/runs'));
    await expect(page.locator('#current')).toContainText('of 50\u202f000');

    await page.getByRole('button', { name: 'Pause' }).click();
    await expect(page.getByRole('status').first()).toContainText('The backfill is paused.', { timeout: 30_000 });
    await page.goto('/admin/sync/runs');
    await page.getByRole('link', { name: 'backfill' }).first().click();
    const paused = await seen(page);
    expect(paused).toBeLessThan(PEOPLE);
    const stored = await users.countDocuments();
    await page.reload();
    expect([await seen(page), await users.countDocuments()]).toEqual([paused, stored]);
    await page.getByRole('button', { name: 'Resume' }).click();
    await expect(page.getByRole('status').first()).toContainText('The backfill is running.');

    // Killed with the server in the middle; whoever starts next goes on from the last page.
    await expect.poll(async () => reloaded(page), { timeout: 60_000, intervals: [500] }).toBeGreaterThan(paused);
    const before = await seen(page);
    await server.signInIsKept();
    await server.kill();
    expect(await users.countDocuments()).toBeLessThan(PEOPLE);
    await server.start();
    await expect.poll(async () => reloaded(page), { timeout: 60_000, intervals: [500] }).toBeGreaterThanOrEqual(before);
    const runs = client.db().collection('runs');
    expect(await runs.countDocuments({ kind: 'backfill' })).toBe(1);
    // Watched to its end, after which the page offers what can be done then.
    await page.goto('/admin/sync/runs');
    await expect(page.getByRole('heading', { name: 'Going on: backfill' })).toBeVisible();
    await expect
      .poll(async () => (await runs.findOne({ kind: 'backfill' }))?.state, { timeout: 300_000, intervals: [1_000] })
      .toBe('done');
    await expect(page.getByRole('heading', { name: 'Going on: backfill' })).toBeHidden();
    await expect(page.getByRole('button', { name: 'Begin a backfill' })).toBeVisible();
    const row = page.getByRole('table', { name: 'History' }).getByRole('row').filter({ hasText: 'backfill' });
    await expect(row).toContainText('done');
    expect(await users.countDocuments({ deletedAt: null })).toBe(PEOPLE);
    const { progress } = (await runs.findOne({ kind: 'backfill' }))!;
    expect(Number(progress.counts.seen)).toBeGreaterThanOrEqual(PEOPLE);
    expect(Number(progress.counts.seen)).toBeLessThanOrEqual(PEOPLE + 2 * A_PAGE);
    await plain.context().close();
    await context.close();
  } finally {
    await client.db().dropDatabase();
    await client.close();
    await server.remove();
  }
});

/** How many were seen, by the bar. */
async function seen(page: Page): Promise<number> {
  return Number(await page.getByRole('progressbar', { name: 'Progress of the run' }).first().getAttribute('value'));
}

async function reloaded(page: Page): Promise<number> {
  await page.reload();
  const bar = page.getByRole('progressbar', { name: 'Progress of the run' });
  return (await bar.count()) > 0 ? seen(page) : -1;
}

async function grows(page: Page, again: () => Promise<unknown>): Promise<void> {
  await again();
  const first = await seen(page);
  await expect
    .poll(
      async () => {
        await again();
        return seen(page);
      },
      { timeout: 60_000, intervals: [500] },
    )
    .toBeGreaterThan(first);
}
