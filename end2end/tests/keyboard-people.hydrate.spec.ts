// Everything that people do about themselves, and admins about people, by keyboard alone. What came of it has the focus each
// time, so that it is read out and the next press of Tab goes on from there.
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Locator, Page } from '@playwright/test';
import { secretKey } from './support/data';
import { tabTo } from './support/keyboard';
import { arrived, isolated, newcomer, signUp, state } from './support/people';
import { expect, test } from './support/test';

/** A pixel. */
const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

test('e_21 somebody says who they are, ends sessions, signs in again, takes their data and leaves', async ({ page, users }) => {
  test.setTimeout(120_000);
  const person = newcomer();
  const username = `keys_${randomUUID().slice(0, 8)}`;
  await signUp(page, person);
  await page.waitForURL('**/profile');
  await expect.poll(() => users.countDocuments({ email: person.email })).toBe(1);
  const clerkId = (await users.findOne({ email: person.email }))?.clerkId;
  for (let other = 0; other < 2; other++) await begin(clerkId);

  await page.goto('/profile');
  await fill(page, /^First name$/, 'Grace');
  await fill(page, /^Last name$/, 'Hopper');
  await fill(page, /^Username$/, username);
  await page.keyboard.press('Enter');
  await told(page, 'Your names are saved.');
  expect(await users.findOne({ clerkId })).toMatchObject({ name: 'Grace Hopper', username });

  await fill(page, /^Bio$/, 'Wrote the first compiler.');
  await press(page, /^Save$/);
  await told(page, 'Your bio is saved.');

  const choosing = page.waitForEvent('filechooser');
  await press(page, /^New picture$/);
  await (await choosing).setFiles({ name: 'me.png', mimeType: 'image/png', buffer: PNG });
  await press(page, /^Upload$/);
  await told(page, 'Your picture is saved.');

  await press(page, /^Sessions$/);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Your sessions');
  // Past the way out in the header, which is called the same.
  await tabTo(page, /^Sign out of 2 other sessions$/);
  await press(page, /^Sign out$/);
  await asked(page, /^Sign out of .*\?$/);
  await press(page, /^Sign out there$/);
  await told(page, 'Signed out there.');
  await press(page, /^Sign out of the other session$/);
  await asked(page, /^Sign out of the other session\?$/);
  await press(page, /^Sign out there$/);
  await told(page, 'Signed out of the other session.');

  await page.goto('/verify?back=%2Fprofile%2Fdata');
  await press(page, /^Sign in again$/);
  await reach(page, page.getByRole('textbox', { name: /^email address/i }), /^Email address/);
  await page.keyboard.type(person.email);
  await page.keyboard.press('Enter');
  await reach(page, page.getByRole('textbox', { name: 'Password', exact: true }), /^Password$/);
  await page.keyboard.type(person.password);
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/\/profile\/data$/);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Your data');

  const [file] = await Promise.all([page.waitForEvent('download'), press(page, /^Download your data$/)]);
  expect(JSON.parse(readFileSync(await file.path(), 'utf8')).user.name).toBe('Grace Hopper');

  await press(page, /^Delete your account$/);
  await asked(page, /^Delete your account for ever\?$/);
  // What has to be typed stands before the way out, which has the focus.
  await page.keyboard.press('Shift+Tab');
  await expect(page.getByRole('dialog').getByRole('textbox')).toBeFocused();
  await page.keyboard.type(username);
  await page.keyboard.press('Enter');
  await told(page, 'Your account is deleted.');
  expect((await users.findOne({ clerkId }))?.deletedAt).toBeInstanceOf(Date);
});

test.describe('an admin', () => {
  test.use({ storageState: state('admin') });

  test('e_21 filters people, takes them away as a file, gives several a role, locks, unlocks and erases', async ({ page, users }) => {
    test.setTimeout(90_000);
    const group = `Keys${randomUUID().slice(0, 6)}`;
    const [first, second] = [await arrived(users, group), await arrived(users, group)];

    await page.goto('/admin/users');
    await fill(page, /^Name, username, e-mail address or id$/, group);
    await press(page, /^Filters and columns$/);
    await tabTo(page, /^Role/);
    await page.keyboard.type('user');
    await press(page, /^MongoDB id$/, 'Space');
    await page.keyboard.press('Enter');
    await expect(page).toHaveURL(/role=user.*column=mongo/);
    const table = page.getByRole('table', { name: 'People' });
    await expect(table.getByRole('columnheader', { name: 'MongoDB id' })).toBeVisible();
    await expect(table.getByRole('checkbox')).toHaveCount(2);

    const [file] = await Promise.all([page.waitForEvent('download'), press(page, /^Download as CSV$/)]);
    const text = readFileSync(await file.path(), 'utf8');
    for (const { id, name } of [first, second]) expect(text).toContain(`${id},${name},`);

    // Whoever of the two comes first.
    for (let chosen = 0; chosen < 2; chosen++) await press(page, new RegExp(`^Choose ${group} `), 'Space');
    await tabTo(page, /^Role for the chosen/);
    await page.keyboard.type('moderator');
    await press(page, /^See what would change$/);
    await expect(page.getByText('2 of 2 would be moderator.')).toBeVisible();
    await fill(page, /^Reason/, 'by keyboard');
    await page.keyboard.press('Enter');
    await told(page, '2 people are moderator now.');

    await page.goto(`/admin/users/${first.id}`);
    await press(page, /^Lock$/);
    await asked(page, `Lock ${isolated(first.name)}?`);
    await press(page, /^Lock$/);
    await told(page, `${isolated(first.name)} is locked: no new session begins.`);
    expect((await users.findOne({ clerkId: first.id }))?.locked).toBe(true);
    await press(page, /^Unlock$/);
    await asked(page, `Unlock ${isolated(first.name)}?`);
    await press(page, /^Unlock$/);
    await told(page, `${isolated(first.name)} is not locked any more.`);

    await press(page, /^Erase$/);
    await asked(page, `Erase ${isolated(first.name)} for ever?`);
    await page.keyboard.press('Shift+Tab');
    await expect(page.getByRole('dialog').getByLabel(/to confirm$/)).toBeFocused();
    await page.keyboard.type(first.id);
    await page.keyboard.press('Enter');
    await told(page, 'Erased.');
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Deleted person');
  });
});

/** Goes on to what is called so and presses it. */
async function press(page: Page, name: RegExp, key: 'Enter' | 'Space' = 'Enter'): Promise<void> {
  await tabTo(page, name);
  await page.keyboard.press(key);
}

/** Goes on to the field that is called so and types over what is in it. */
async function fill(page: Page, name: RegExp, text: string): Promise<void> {
  await tabTo(page, name);
  await page.keyboard.press('ControlOrMeta+A');
  await page.keyboard.type(text);
}

/** The same for a field of Clerk's, which may have taken the focus already. */
async function reach(page: Page, field: Locator, name: RegExp): Promise<void> {
  await expect(field).toBeVisible();
  if (!(await field.evaluate((one) => one === document.activeElement))) await tabTo(page, name);
}

/** A question is open, and its way out has the focus: a press too many does nothing. */
async function asked(page: Page, name: string | RegExp): Promise<void> {
  const question = page.getByRole('dialog', { name });
  await expect(question).toBeVisible();
  await expect(question.getByRole('button', { name: 'Cancel' })).toBeFocused();
}

async function told(page: Page, text: string): Promise<void> {
  await expect(page.getByRole('status').filter({ hasText: text })).toBeFocused();
}

/** Another session of this person at the local Clerk. */
async function begin(user_id: string): Promise<void> {
  const headers = { authorization: `Bearer ${secretKey()}`, 'content-type': 'application/json' };
  const answer = await fetch(`${process.env.E2E_STANDIN}/v1/sessions`, { method: 'POST', headers, body: JSON.stringify({ user_id }) });
  expect(answer.ok).toBe(true);
}
