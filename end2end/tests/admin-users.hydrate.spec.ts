// No barrier on the pages that look after people, whatever state they are in, in both themes and on a narrow screen.
import { join } from 'node:path';
import { barriers, lookAt } from './support/barriers';
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
const looks = [
  { look: 'light', colorScheme: 'light', width: 1280, height: 800 },
  { look: 'dark', colorScheme: 'dark', width: 1280, height: 800 },
  { look: 'phone', colorScheme: 'light', width: 390, height: 844 },
  { look: 'wide', colorScheme: 'light', width: 2560, height: 1440 },
  { look: 'narrow', colorScheme: 'dark', width: 320, height: 640 },
] as const;

for (const { name, path, open } of states) {
  for (const { look, colorScheme, width, height } of looks) {
    test(`${name}, ${look}`, async ({ page, users }) => {
      const user = await users.findOne({ email: 'user@example.com' });
      const admin = await users.findOne({ email: 'admin@example.com' });
      const address = {
        user: `/admin/users/${user?.clerkId}`,
        changes: `/admin/role-changes?id=${user?.clerkId}&id=${admin?.clerkId}&role=moderator`,
      }[path];
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height });
      await page.goto(address ?? path);
      if (open) await page.getByRole('button', { name: open, exact: true }).click();

      await page.screenshot({ path: join(__dirname, '../screenshots', `admin-${name}-${look}.png`), fullPage: !open });
      expect(await barriers(page)).toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
    });
  }
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
