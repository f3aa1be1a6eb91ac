// People are looked for and looked after by keyboard alone, with and without JavaScript.
import { arrived, isolated, state } from './support/people';
import { tabTo } from './support/keyboard';
import { expect, test } from './support/test';

test.describe('a person', () => {
  test.use({ storageState: state('user') });

  test('finds somebody in the directory and opens their page', async ({ page }) => {
    await page.goto('/people');
    await tabTo(page, /^Name or username begins with$/);
    await page.keyboard.type('ada');
    await page.keyboard.press('Enter');
    await expect(page).toHaveURL(/\/people\?q=ada$/);
    await tabTo(page, /@ada$/);
    await page.keyboard.press('Enter');
    await expect(page).toHaveURL(/\/people\/ada$/);
  });
});

test.describe('an admin', () => {
  test.use({ storageState: state('admin') });

  test('searches, opens, gives a role, takes it back and bans', async ({ page, users }) => {
    const person = await arrived(users, 'Keyed');
    await page.goto('/admin/users');
    await tabTo(page, /^Name, username, e-mail address or id$/);
    await page.keyboard.type(person.name);
    await page.keyboard.press('Enter');
    await expect(page).toHaveURL(/q=Keyed/);
    await tabTo(page, new RegExp(`^(?!Choose ).*${person.name}$`));
    await page.keyboard.press('Enter');
    await expect(page.getByRole('heading', { level: 1 })).toHaveText(person.name);

    await tabTo(page, /^Role/);
    await page.keyboard.type('moderator');
    await tabTo(page, /^Reason/);
    await page.keyboard.type('by keyboard');
    await page.keyboard.press('Enter');
    await expect(page.getByRole('status')).toContainText(`${isolated(person.name)} is moderator now, was user.`);
    await expect(page.getByRole('status')).toBeFocused();

    await page.keyboard.press('Tab');
    await expect(page.getByRole('button', { name: 'Undo' })).toBeFocused();
    await page.keyboard.press('Enter');
    await expect(page.getByRole('status')).toContainText(`${isolated(person.name)} is user now, was moderator.`);

    await tabTo(page, /^Ban$/);
    await page.keyboard.press('Enter');
    await expect(page.getByRole('dialog', { name: `Ban ${isolated(person.name)}?` })).toBeVisible();
    await tabTo(page, /^Ban$/);
    await page.keyboard.press('Enter');
    await expect(page.getByRole('status')).toContainText('is banned');
    expect((await users.findOne({ clerkId: person.id }))?.banned).toBe(true);
  });
});
