// What people and admins see in states that the suite does not come to by itself: the application has fields of its own, a role
// is on its way to a Clerk that does not answer, somebody is barred or gone, a step of signing in is left, a theme was chosen.
// No barrier by axe in any look, and a picture of each.
import type { Page } from '@playwright/test';
import { MongoClient } from 'mongodb';
import { lookAt } from './support/barriers';
import { pending, place, secretKey } from './support/data';
import { admin, arrived, signIn, standing, state, user } from './support/people';
import { OwnServer } from './support/server';
import { expect, test } from './support/test';

const FIELDS = `
[[fields]]
name = "team"
from = "unsafe_metadata.team"
type = "text"
editable = true

[[fields]]
name = "homeOffice"
from = "unsafe_metadata.home"
type = "boolean"
editable = true

[[fields]]
name = "floor"
from = "unsafe_metadata.floor"
type = "integer"
editable = true

[[fields]]
name = "desk"
from = "public_metadata.desk"
type = "json"
`;

test('e_23 the application\'s own fields, and a role on its way to a Clerk that does not answer', async ({ browser }) => {
  test.setTimeout(240_000);
  const server = new OwnServer('e2e_states', 3, false, { ROLLCALL_METADATA: 'true' }, FIELDS);
  const client = await MongoClient.connect(server.mongodb);
  const users = client.db().collection('users');
  await client.db().dropDatabase();
  try {
    await server.start();
    const theirs = await browser.newContext({ baseURL: server.url });
    await signIn(await theirs.newPage(), user);
    await expect.poll(() => users.countDocuments({ email: user.email })).toBe(1);
    await theirs.close();
    const context = await browser.newContext({ baseURL: server.url });
    const page = await context.newPage();
    await signIn(page, admin);
    await page.goto('/profile');
    await page.getByRole('textbox', { name: 'Team' }).fill('Blue');
    await page.getByRole('spinbutton', { name: 'Floor' }).fill('7');
    await page.getByRole('combobox', { name: 'Home office' }).selectOption('Yes');
    await save(page);
    await expect(page.getByRole('status')).toContainText('Your details are saved.');
    await lookAt(page, 'profile-fields');

    await page.locator('[name="values[floor]"]').evaluate((input) => input.setAttribute('type', 'text'));
    await page.locator('[name="values[floor]"]').fill('the third');
    await save(page);
    await expect(page.locator('[name="values[floor]"]')).toHaveAttribute('aria-invalid', 'true');
    await lookAt(page, 'profile-fields-refused');

    // Whoever is the only admin is so to themselves and to nobody else.
    const me = (await users.findOne({ email: admin.email }))!;
    await page.goto(`/admin/users/${me.clerkId}`);
    await lookAt(page, 'user-oneself');

    const other = (await users.findOne({ email: user.email }))!;
    await server.lever({ bapi_status: 503 });
    await page.goto(`/admin/users/${other.clerkId}`);
    await page.getByRole('combobox', { name: 'Role', exact: true }).selectOption('moderator');
    await page.getByRole('button', { name: 'Change role' }).click();
    await expect(page.getByRole('button', { name: 'Undo', exact: true })).toBeVisible();
    await lookAt(page, 'user-role-underway');

    await users.updateOne({ _id: me._id }, { $set: { ...standing(), rolePending: true } });
    await page.goto('/profile');
    await expect(page.getByRole('heading', { name: 'Under way' })).toBeVisible();
    await lookAt(page, 'profile-underway');
    await context.close();
  } finally {
    await server.remove();
    await client.db().dropDatabase();
    await client.close();
  }
});

test.describe('an admin', () => {
  test.use({ storageState: state('admin') });

  for (const { name, set } of [
    { name: 'banned', set: { banned: true } },
    { name: 'locked', set: { locked: true } },
    { name: 'in-error', set: { syncStatus: 'error', syncReason: 'MongoDB refused (code 121)', usernameConflict: true } },
    { name: 'of-ours', set: { authProvider: 'local' } },
  ]) {
    test(`sees somebody who is ${name}`, async ({ page, users }) => {
      test.setTimeout(60_000);
      const { id } = await arrived(users, 'Stated');
      await users.updateOne({ clerkId: id }, { $set: { ...standing(), ...set } });
      await page.goto(`/admin/users/${id}`);
      await lookAt(page, `user-${name}`);
    });
  }

  test('sees somebody who is deleted, and all of them', async ({ page, users }) => {
    test.setTimeout(60_000);
    const { id } = await arrived(users, 'Gone');
    const headers = { authorization: `Bearer ${secretKey()}` };
    expect((await fetch(`${place().standin}/v1/users/${id}`, { method: 'DELETE', headers })).ok).toBe(true);
    await expect.poll(() => users.countDocuments({ clerkId: id, deletedAt: null })).toBe(0);
    await page.goto(`/admin/users/${id}`);
    await lookAt(page, 'user-deleted');
    await page.goto('/admin/users?mark=deleted&column=marks&column=state&column=email');
    await lookAt(page, 'users-deleted');
  });
});

test.describe('a user', () => {
  test.use({ storageState: state('user') });

  test('d4_16 sees that a step of signing in is left', async ({ page }) => {
    test.setTimeout(60_000);
    await page.goto('/profile');
    const tokens = (await page.context().cookies()).filter(({ name }) => name.startsWith('__session'));
    await page.context().addCookies(tokens.map((cookie) => ({ ...cookie, value: pending(cookie.value) })));
    // Clerk's code would take the step, or renew the token, at once.
    await page.route(/clerk\.browser\.js/, (route) => route.abort());
    await page.goto('/');
    await expect(page.getByRole('complementary', { name: 'Sign-in' })).toContainText('One step of signing in is left.');
    await lookAt(page, 'step-left');
  });

  test('e_24 sees the theme that was chosen, whatever the system\'s is', async ({ page }) => {
    test.setTimeout(90_000);
    await page.goto('/profile');
    for (const theme of ['light', 'dark']) {
      await page.getByRole('button', { name: `Switch to ${theme}` }).click();
      await expect(page.locator('html')).toHaveAttribute('data-theme', theme);
      // In a light system and in a dark one.
      await lookAt(page, `profile-chosen-${theme}`);
      await page.goto('/people');
      await lookAt(page, `people-chosen-${theme}`);
    }
  });
});

/** The form with the application's own fields. */
function save(page: Page): Promise<void> {
  return page.locator('form[action="/api/profile/edit_fields"]').getByRole('button', { name: 'Save' }).click();
}
