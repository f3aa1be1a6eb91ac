// The pages about the mirror in states that the suite does not come to by itself: something was given up, a body is no longer
// kept, a question is open. No barrier by axe in any look, and a picture of each.
import { randomUUID } from 'node:crypto';
import { type Document, MongoClient } from 'mongodb';
import { lookAt } from './support/barriers';
import { mongodbUri } from './support/data';
import { state } from './support/people';
import { expect, test } from './support/test';

test.use({ storageState: state('admin') });

type Row = Document & { _id: string };

const unique = randomUUID().slice(0, 8);
const dead = `msg_dead_${unique}`;
const forgotten = `msg_old_${unique}`;
const muted = `msg_muted_${unique}`;
const MUTED = `Clerk answered with 503 (${unique})`;
const DAY = 86_400_000;
/** What is opened is a question; what is pressed leads to a page. */
const states: { name: string; path: string; open?: string; press?: string; unfold?: string }[] = [
  { name: 'overview-degraded', path: '/admin/sync' },
  { name: 'failures-groups', path: '/admin/sync/failures' },
  { name: 'failures-muted', path: '/admin/sync/failures?state=failed' },
  { name: 'failures-mute', path: '/admin/sync/failures', open: 'Mute' },
  { name: 'event-dead', path: `/admin/sync/events/${dead}` },
  { name: 'event-replay', path: `/admin/sync/events/${dead}?preview=1` },
  { name: 'event-discard', path: `/admin/sync/events/${dead}`, open: 'Discard' },
  { name: 'event-forgotten', path: `/admin/sync/events/${forgotten}` },
  { name: 'event-none', path: '/admin/sync/events/msg_none' },
  { name: 'runs-begin', path: '/admin/sync/runs', open: 'Begin a reconcile' },
  { name: 'runs-clearance', path: '/admin/sync/runs', open: 'Delete whoever is gone, however many' },
  { name: 'sync-month', path: '/admin/sync?period=month' },
  { name: 'events-saved', path: '/admin/sync/events?state=dead', unfold: 'Edit saved filters' },
  { name: 'connection-examined', path: '/admin/sync/connection', press: 'Examine everything now' },
  { name: 'audit-verified', path: '/admin/sync/audit', press: 'Verify the chain' },
  { name: 'effects-lost', path: '/admin/sync/effects' },
  { name: 'effects-discard', path: '/admin/sync/effects?state=dead', open: 'Discard' },
  { name: 'run-none', path: '/admin/sync/runs/none' },
  { name: 'profile-times', path: '/profile', open: 'Keyboard shortcuts' },
];
let client: MongoClient;

/** Twins of an event that was applied: one given up, one whose body is not kept any more. And effects that went wrong. */
test.beforeAll(async () => {
  client = await MongoClient.connect(mongodbUri());
  const events = client.db().collection<Row>('events');
  const applied = await events.findOne({ kind: 'user.created', state: 'applied' });
  const failed = { state: 'dead', cause: 'MongoDB refused (code 121)', decision: 'MongoDB refused (code 121)' };
  await events.insertMany([
    { ...applied, _id: dead, ...failed },
    { ...applied, _id: forgotten, place: null },
    { ...applied, _id: muted, state: 'failed', cause: MUTED, decision: MUTED, dueAt: new Date(Date.now() + DAY), finishedAt: null },
  ]);
  const admin = await client.db().collection('users').findOne({ email: 'admin@example.com' });
  const owner = admin!.clerkId;
  await client.db().collection<Row>('mutes').insertOne({ _id: MUTED, until: new Date(Date.now() + DAY), by: owner });
  await client.db().collection('filters').insertMany([
    { owner, name: `Given up ${unique}`, query: 'state=dead', isDefault: false },
    { owner, name: `Clerk's word for what was deleted ${unique}`, query: 'type=user.deleted&range=30d', isDefault: false },
  ]);
  const at = new Date();
  const lost = { clerkId: applied!.clerkId, body: null, attempts: 8, generation: 1, createdAt: at, finishedAt: at };
  const cause = 'answered with 500';
  await client.db().collection<Row>('jobs').insertMany([
    { ...lost, _id: `webhook:${unique}`, kind: 'webhook', state: 'dead', cause, to: 'hooks.example.com' },
    { ...lost, _id: `welcome:${unique}`, kind: 'welcome', state: 'unsure', cause, to: 'a•••@example.com' },
  ]);
});

test.afterAll(async () => {
  await client.db().collection<Row>('events').deleteMany({ _id: { $in: [dead, forgotten, muted] } });
  await client.db().collection<Row>('mutes').deleteMany({ _id: MUTED });
  await client.db().collection('filters').deleteMany({ name: { $regex: unique } });
  await client.db().collection<Row>('jobs').deleteMany({ _id: { $in: [`webhook:${unique}`, `welcome:${unique}`] } });
  await client.close();
});

for (const { name, path, open, press, unfold } of states) {
  test(name, async ({ page }) => {
    test.setTimeout(60_000);
    await page.goto(path);
    if (press) {
      await page.getByRole('button', { name: press, exact: true }).click();
      await expect(page.getByRole('status').first()).toBeVisible();
    }
    if (unfold) await page.getByText(unfold, { exact: true }).click();
    if (open) {
      await page.getByRole('button', { name: open, exact: true }).first().click();
      await expect(page.getByRole('dialog')).toBeVisible();
    }

    await lookAt(page, name, { isOpen: !!open });
    if (open) await expect(page.getByRole('dialog')).toBeVisible();
  });
}
