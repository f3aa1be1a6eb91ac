// No barrier on the pages that look after people, whatever state they are in, in both themes and on a narrow screen.
import { everyWidth, lookAt } from './support/barriers';
import { newcomer, signUp, standing, state } from './support/people';
import { expect, test } from './support/test';

test.use({ storageState: state('admin') });

const states: { name: string; path: string; open?: string }[] = [
  { name: 'users', path: '/admin/users' },
  { name: 'users-filtered', path: '/admin/users?role=user&column=email&column=mongo&column=compared' },
  { name: 'users-nobody', path: '/admin/users?q=nobodyatall' },
  { name: 'users-wrong', path: '/admin/users?role=king' },
  { name: 'user', path: 'user' },
  { name: 'user-confirm', path: 'user', open: 'Erase' },
  { name: 'user-nobody', path: '/admin/users/user_nobody' },
  { name: 'role-changes', path: 'changes' },
  { name: 'role-changes-nobody', path: '/admin/role-changes' },
];

for (const { name, path, open } of states) {
  test(name, async ({ page, users }) => {
    test.setTimeout(60_000);
    const user = await users.findOne({ email: 'user@example.com' });
    const admin = await users.findOne({ email: 'admin@example.com' });
    const address = {
      user: `/admin/users/${user?.clerkId}`,
      changes: `/admin/role-changes?id=${user?.clerkId}&id=${admin?.clerkId}&role=moderator`,
    }[path];
    await page.goto(address ?? path);
    if (open) await page.getByRole('button', { name: open, exact: true }).click();

    await lookAt(page, `admin-${name}`, { among: everyWidth, isOpen: !!open });
    if (open) await expect(page.getByRole('dialog')).toBeVisible();
  });
}

test.describe('in another role', () => {
  test.use({ storageState: { cookies: [], origins: [] } });

  test('what a moderator sees, and whoever is barred', async ({ page, users }) => {
    test.setTimeout(150_000);
    const person = newcomer();
    await signUp(page, person);
    await expect.poll(() => users.countDocuments({ email: person.email })).toBe(1);
    await users.updateOne({ email: person.email }, { $set: { ...standing(), role: 'moderator' } });
    const user = await users.findOne({ email: 'user@example.com' });
    await page.goto(`/admin/users/${user?.clerkId}`);
    await expect(page.getByText('Moderators look')).toBeVisible();
    await lookAt(page, 'user-as-moderator');
    for (const [path, name] of [
      ['/admin/sync', 'overview-as-moderator'],
      ['/admin/sync/events', 'events-as-moderator'],
    ] as const) {
      await page.goto(path);
      await expect(page.getByText('Moderators look')).toBeVisible();
      await lookAt(page, name);
    }
    await users.updateOne({ email: person.email }, { $set: { ...standing(), banned: true } });
    await page.goto('/profile');
    await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
    await lookAt(page, 'barred');
  });
});
