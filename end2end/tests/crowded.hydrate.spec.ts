// Twenty thousand people, thousands of events and audit entries, sixty sessions: every list stays a page, is there at once, and
// fits its screen. With a server, a Clerk and a database of its own.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Collection, type Document, Long, MongoClient, ObjectId } from 'mongodb';
import type { Page } from '@playwright/test';
import { barriers } from './support/barriers';
import { secretKey } from './support/data';
import { admin, signIn } from './support/people';
import { OwnServer } from './support/server';
import { expect, test } from './support/test';

const PEOPLE = 20_000;
const EVENTS = 3_000;
const ENTRIES = 2_000;
const SESSIONS = 60;
/** As many rows of a list are shown at once. */
const A_PAGE = 50;
/** Milliseconds until a list begins to arrive, by a debug build beside other tests. */
const SOON = 1_000;
const looks = [
  { look: 'light', colorScheme: 'light', width: 1280, height: 800 },
  { look: 'phone', colorScheme: 'dark', width: 390, height: 844 },
  { look: 'narrow', colorScheme: 'light', width: 320, height: 640 },
] as const;

test('e_27 every list stays a page among very many, is there at once, and fits its screen', async ({ browser }) => {
  test.setTimeout(300_000);
  const server = new OwnServer('e2e_crowded', 20);
  const client = await MongoClient.connect(server.mongodb);
  const database = client.db();
  await database.dropDatabase();
  try {
    await server.start();
    const context = await browser.newContext({ baseURL: server.url });
    const page = await context.newPage();
    await signIn(page, admin);
    await page.goto('/profile');
    const me = (await database.collection('users').findOne({ email: admin.email }))!;
    await fill(database.collection('users'), PEOPLE, (number) => person(me, number));
    // Two files, each with an entry that is written by the product, and then as many like them.
    await page.goto('/profile/data');
    const own = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Download your data' }).click();
    await own;
    // The whole of it, row by row.
    await page.goto('/admin/users');
    const download = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Download as CSV' }).click();
    const rows = readFileSync(await (await download).path(), 'utf8').trim().split('\n');
    expect(rows.length).toBe(1 + (await database.collection('users').countDocuments()));
    const entry = (await database.collection('audit').findOne())!;
    await fill(database.collection('audit'), ENTRIES, (number) => {
      const at = new Date(entry.at.getTime() + 1_000 * (number + 1));
      return { ...entry, _id: Long.fromNumber(number + 3), at };
    });
    await fill(database.collection<Document>('events'), EVENTS, (number) => event(me.clerkId, number));
    for (let session = 1; session < SESSIONS; session++) await begin(server, me.clerkId);

    const lists = [
      { name: 'people', path: '/people', row: 'main li' },
      { name: 'people-found', path: '/people?q=ada', row: 'main li' },
      { name: 'users', path: '/admin/users', row: 'main tbody tr' },
      { name: 'users-by-name', path: '/admin/users?sort=name', row: 'main tbody tr' },
      { name: 'events', path: '/admin/sync/events', row: 'main tbody tr' },
      { name: 'events-of-one', path: `/admin/sync/events?person=${me.clerkId}`, row: 'main tbody tr' },
      { name: 'audit', path: '/admin/sync/audit', row: 'main tbody tr' },
      { name: 'timeline', path: `/admin/users/${me.clerkId}`, row: '#timeline li' },
    ];
    for (const { name, path, row } of lists) {
      await page.setViewportSize({ width: 1280, height: 800 });
      await page.goto(path);
      const first = await shown(page, row);
      expect(await soon(page), name).toBeLessThan(SOON);
      await page.getByRole('link', { name: 'Next page' }).click();
      await expect(page).not.toHaveURL(path);
      const second = await shown(page, row);
      expect(second.filter((text) => first.includes(text)), name).toEqual([]);
      await page.getByRole('link', { name: 'First page' }).click();
      expect(await shown(page, row), name).toEqual(first);
      await looked(page, name);
    }

    // Clerk's list of sessions comes whole, with the way out of all the others above it.
    await page.goto('/profile/sessions');
    await expect(page.locator('main tbody tr')).toHaveCount(SESSIONS);
    await looked(page, 'sessions');
    await page.setViewportSize({ width: 1280, height: 800 });
    await expect(page.getByRole('button', { name: `Sign out of ${SESSIONS - 1} other sessions` })).toBeInViewport();
  } finally {
    await server.remove();
    await database.dropDatabase();
    await client.close();
  }
});

/** What the rows say, of a page at most. */
async function shown(page: Page, row: string): Promise<string[]> {
  const rows = page.locator(row);
  await expect(rows.first()).toBeVisible();
  // As the server sent them: what a script makes of times goes on.
  const texts = await rows.evaluateAll((found) => found.map((one) => [...one.querySelectorAll('a, time')].map((part) => part.getAttribute('href') ?? part.getAttribute('datetime')).join(' ')));
  expect(texts.length).toBeLessThanOrEqual(A_PAGE);
  return texts;
}

/** Milliseconds from the request to the first byte of the page. */
function soon(page: Page): Promise<number> {
  return page.evaluate(() => {
    const [load] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[];
    return load!.responseStart - load!.requestStart;
  });
}

/** Pictures, with nothing that sticks out, and no barrier. */
async function looked(page: Page, name: string): Promise<void> {
  for (const { look, colorScheme, width, height } of looks) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height });
    await page.screenshot({ path: join(__dirname, '../screenshots', `crowded-${name}-${look}.png`), fullPage: true });
    expect(await page.evaluate(() => document.documentElement.scrollWidth), `${name}, ${look}`).toBeLessThanOrEqual(width);
  }
  expect(await barriers(page), name).toEqual([]);
}

async function fill(collection: Collection<Document>, count: number, of: (number: number) => Document): Promise<void> {
  for (let from = 0; from < count; from += 5_000) {
    await collection.insertMany(Array.from({ length: Math.min(5_000, count - from) }, (_, index) => of(from + index)));
  }
}

function person(like: Document, number: number): Document {
  const first = ['Ada', 'Ádám', 'Bob', 'محمد', '李', 'Oluwaseun'][number % 6]!;
  const last = ['Lovelace', 'Müller', 'Van der Berg-Szczepański', 'كريم'][(number >> 3) % 4]!;
  const at = new Date(1_600_000_000_000 + number * 60_000);
  const version = { updatedAt: Long.fromNumber(at.getTime()), eventAt: Long.fromNumber(at.getTime()) };
  const address = `p${number}@example.com`;
  return {
    ...like,
    ...{ _id: new ObjectId(), clerkId: `user_crowd${number}`, version, role: 'user', imageUrl: null },
    ...{ email: address, emails: [{ address, verified: true }], firstName: first, lastName: last, name: `${first} ${last}` },
    ...{ username: `person_${number}`, clerkUsername: `person_${number}`, createdAt: at, updatedAt: at, outbox: [] },
  };
}

/** One that changed nothing, of this person or of others. */
function event(clerkId: string, number: number): Document {
  const at = new Date(Date.now() - number * 37_000);
  const whose = number % 2 ? clerkId : `user_crowd${number}`;
  return {
    ...{ _id: `msg_crowd${number}`, kind: number % 4 === 3 ? 'session.created' : 'user.updated', clerkId: whose, instanceId: 'ins_crowd' },
    ...{ state: number % 4 === 3 ? 'ignored' : 'applied', attempts: 1, deliveries: 1, decision: 'confirmed; nothing differed' },
    ...{ eventAt: at, receivedAt: at, finishedAt: new Date(at.getTime() + 40) },
  };
}

/** Another session of this person at the local Clerk. */
async function begin(server: OwnServer, user_id: string): Promise<void> {
  const headers = { authorization: `Bearer ${secretKey()}`, 'content-type': 'application/json' };
  const answer = await fetch(`${server.standin}/v1/sessions`, { method: 'POST', headers, body: JSON.stringify({ user_id }) });
  expect(answer.ok).toBe(true);
}
