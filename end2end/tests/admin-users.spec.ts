// Looking after people, as an admin does it: find somebody, give a role and take it back, ban, change several, take a file
// away. Each test has a person of its own, so that both kinds of browser can do it at once.
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Page } from '@playwright/test';
import { arrived, isolated, state } from './support/people';
import { expect, test } from './support/test';

test.use({ storageState: state('admin') });

async function give(page: Page, role: string, reason: string): Promise<void> {
  await page.getByRole('combobox', { name: 'Role', exact: true }).selectOption(role);
  await page.locator('form[action$="/change_role"]').last().getByLabel(/^Reason/).fill(reason);
  await page.getByRole('button', { name: 'Change role' }).click();
}

test('somebody is found by name, and the way leads to their page', async ({ page, users, complaints }) => {
  const person = await arrived(users, 'Findable');
  await page.goto('/');
  await page.getByRole('banner').getByRole('link', { name: 'Users' }).click();

  await page.getByLabel('Name, username, e-mail address or id').fill(person.name);
  await page.getByRole('button', { name: 'Search' }).click();
  await expect(page).toHaveURL(/q=Findable/);
  await page.getByRole('table', { name: 'People' }).getByRole('link', { name: person.name }).click();

  await expect(page.getByRole('heading', { level: 1 })).toHaveText(person.name);
  await expect(page.getByRole('table', { name: 'Document' })).toContainText('derived');
  await expect(page.getByRole('heading', { name: 'Timeline' })).toBeVisible();
  expect(complaints).toEqual([]);
});

test('a role is given with a reason, is on the timeline, and is taken back', async ({ page, users }) => {
  const person = await arrived(users, 'Helper');
  await page.goto(`/admin/users/${person.id}`);
  await give(page, 'moderator', 'helps out');

  await expect(page.getByRole('status')).toContainText(`${isolated(person.name)} is moderator now, was user.`);
  await expect(page.locator('#timeline')).toContainText('change role');
  await expect(page.locator('#timeline')).toContainText('helps out');
  await expect(page.getByRole('heading', { name: 'Last role given here' })).toBeVisible();

  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(page.getByRole('status')).toContainText(`${isolated(person.name)} is user now, was moderator.`);
  expect((await users.findOne({ clerkId: person.id }))?.role).toBe('user');
});

test('a ban names its object, is refused no more, and ends', async ({ page, users }) => {
  const person = await arrived(users, 'Loud');
  await page.goto(`/admin/users/${person.id}`);
  await page.getByRole('button', { name: 'Ban', exact: true }).click();
  const dialog = page.getByRole('dialog', { name: `Ban ${isolated(person.name)}?` });
  await dialog.getByLabel(/^Reason/).fill('spam');
  await dialog.getByRole('button', { name: 'Ban', exact: true }).click();

  await expect(page.getByRole('status')).toContainText('is banned');
  expect((await users.findOne({ clerkId: person.id }))?.banned).toBe(true);

  await page.getByRole('button', { name: 'Unban' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Unban' }).click();
  await expect(page.getByRole('status')).toContainText('may sign in again');
});

test('several people get a role after a look at who would', async ({ page, users }) => {
  const group = `Group${randomUUID().slice(0, 6)}`;
  const people = [await arrived(users, group), await arrived(users, group)];
  await page.goto(`/admin/users?q=${group}`);
  for (const person of people) await page.getByLabel(`Choose ${person.name}`).check();
  await page.getByLabel('Role for the chosen').selectOption('moderator');
  await page.getByRole('button', { name: 'See what would change' }).click();

  await expect(page.getByText('2 of 2 would be moderator.')).toBeVisible();
  await page.getByLabel(/^Reason/).fill('together');
  await page.getByRole('button', { name: 'Make 2 people moderator' }).click();

  await expect(page.getByRole('status')).toContainText('2 people are moderator now.');
  expect(await users.countDocuments({ clerkId: { $in: people.map(({ id }) => id) }, role: 'moderator' })).toBe(2);
});

test('the table is taken away as a file of what was asked for', async ({ page, users }) => {
  const person = await arrived(users, 'Filed');
  await page.goto(`/admin/users?q=${encodeURIComponent(person.name)}&column=email`);
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Download as CSV' }).click(),
  ]);

  const text = readFileSync(await download.path(), 'utf8');
  expect(text.split('\n')[0]?.trim()).toBe('Clerk id,Name,E-mail');
  expect(text).toContain(`${person.id},${person.name},`);
});

test('erasing wants the id typed', async ({ page, users }) => {
  const person = await arrived(users, 'Gone');
  await page.goto(`/admin/users/${person.id}`);
  await page.getByRole('button', { name: 'Erase', exact: true }).click();
  const dialog = page.getByRole('dialog', { name: `Erase ${isolated(person.name)} for ever?` });
  await dialog.getByLabel(/to confirm/).fill('something else');
  await dialog.getByLabel('Leave them at Clerk').check();
  await dialog.getByRole('button', { name: 'Erase for ever' }).click();
  await expect(page.getByRole('alert').first()).toContainText('nobody was erased');

  // It is asked again, with all that was typed and ticked.
  await expect(dialog.getByLabel(/to confirm/)).toHaveValue('something else');
  await expect(dialog.getByLabel(/to confirm/)).toBeFocused();
  await expect(dialog.getByLabel('Leave them at Clerk')).toBeChecked();
  await dialog.getByLabel(/to confirm/).fill(person.id);
  await dialog.getByRole('button', { name: 'Erase for ever' }).click();
  await expect(page.getByRole('status')).toContainText('Erased.');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Deleted person');
});
