// What people do about themselves, by plain forms: with JavaScript and without.
import { readFileSync } from 'node:fs';
import { aged } from './support/data';
import { state } from './support/people';
import { expect, held, test } from './support/test';

/** A pixel. */
const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

test.use({
  storageState: async ({ javaScriptEnabled }, use) => {
    await use(state(javaScriptEnabled === false ? 'plain-editor' : 'editor'));
  },
});

test.describe.configure({ mode: 'serial' });

function username(javaScriptEnabled: boolean | undefined): string {
  return javaScriptEnabled === false ? 'plain_grace' : 'grace';
}

test('names are saved, here and at Clerk', async ({ page, users, javaScriptEnabled, complaints }) => {
  await page.goto('/profile');
  await page.getByRole('textbox', { name: 'First name' }).fill('Grace');
  await page.getByRole('textbox', { name: 'Last name' }).fill('Hopper');
  await page.getByRole('textbox', { name: 'Username' }).fill(username(javaScriptEnabled));
  await page.getByRole('region', { name: 'Names' }).getByRole('button', { name: 'Save' }).click();

  await expect(page.getByRole('status').filter({ hasText: 'Your names are saved.' })).toBeVisible();
  await expect(held(page, 'Name')).toHaveText('Grace Hopper');
  const stored = await users.findOne({ username: username(javaScriptEnabled) });
  expect(stored).toMatchObject({ name: 'Grace Hopper', firstName: 'Grace' });
  await page.reload();
  await expect(page.getByText('Your names are saved.')).toHaveCount(0);
  expect(complaints).toEqual([]);
});

test('what Clerk refuses is said at the field, and what was typed stays', async ({ page }) => {
  await page.goto('/profile');
  const field = page.getByRole('textbox', { name: 'Username' });
  await field.fill('ada');
  await page.getByRole('region', { name: 'Names' }).getByRole('button', { name: 'Save' }).click();

  await expect(field).toHaveValue('ada');
  await expect(field).toHaveAttribute('aria-invalid', 'true');
  await expect(field).toHaveAccessibleDescription(/taken/i);
});

test('a bio is on the public page', async ({ page, javaScriptEnabled }) => {
  await page.goto('/profile');
  await page.getByRole('textbox', { name: 'Bio' }).fill('Wrote the first compiler.\n<b>Not bold.</b>');
  await page.getByRole('region', { name: 'About you' }).getByRole('button', { name: 'Save' }).click();
  await expect(page.getByRole('status').filter({ hasText: 'Your bio is saved.' })).toBeVisible();

  await page.goto(`/people?q=${username(javaScriptEnabled)}`);
  await page.getByRole('link', { name: /Grace Hopper/ }).click();
  await expect(page.getByRole('heading', { name: 'Grace Hopper', level: 1 })).toBeVisible();
  await expect(page.getByText('<b>Not bold.</b>')).toBeVisible();
});

test('what is sent with a token that has run out is not lost', async ({ page, context, javaScriptEnabled }) => {
  await page.goto('/profile');
  const text = `Two lines\nand <b>signs</b> & more ${javaScriptEnabled}`;
  const bio = page.getByRole('textbox', { name: 'Bio' });
  const save = page.getByRole('region', { name: 'About you' }).getByRole('button', { name: 'Save' });
  await bio.fill(text);
  // With what a handshake leaves beside them the server could renew what it reads by itself.
  await context.clearCookies({ name: /^__refresh/ });
  const tokens = (await context.cookies()).filter(({ name }) => name.startsWith('__session'));
  await context.addCookies(tokens.map((cookie) => ({ ...cookie, value: aged(cookie.value, 120) })));
  await save.click();

  if (javaScriptEnabled === false) {
    // A page renews it, a form cannot: it is there as it was, and is sent once more by a button of its own.
    const alert = page.getByRole('alert');
    await expect(alert).toContainText('nothing was changed. Please send it once more.');
    await expect(bio).toHaveValue(text);
    await alert.getByRole('button', { name: 'Send it again' }).click();
  }
  await expect(page.getByRole('status').filter({ hasText: 'Your bio is saved.' })).toBeVisible();
  await expect(bio).toHaveValue(text);
});

test('whoever sends something and is signed out meanwhile is told so where they sign in', async ({ page, context }) => {
  await page.goto('/profile');
  await page.getByRole('textbox', { name: 'Bio' }).fill('Typed in vain.');
  await context.clearCookies();
  await page.getByRole('region', { name: 'About you' }).getByRole('button', { name: 'Save' }).click();

  await expect(page).toHaveURL(/\/sign-in\?redirect_url=%2Fprofile$/);
  await expect(page.getByRole('alert')).toContainText('nothing was changed');
  // Once, and nothing of what was typed: somebody else may sign in.
  await page.reload();
  await expect(page.getByText('nothing was changed')).toHaveCount(0);
});

test('a picture is uploaded, shown and removed', async ({ page }) => {
  await page.goto('/profile');
  const before = await held(page, 'Picture').innerText();
  await page.getByLabel('New picture').setInputFiles({ name: 'me.png', mimeType: 'image/png', buffer: PNG });
  await page.getByRole('button', { name: 'Upload' }).click();
  await expect(page.getByRole('status').filter({ hasText: 'Your picture is saved.' })).toBeVisible();
  await expect(held(page, 'Picture')).not.toHaveText(before);

  await page.getByRole('button', { name: 'Remove picture' }).click();
  const question = page.getByRole('dialog', { name: 'Remove your picture?' });
  await question.getByRole('button', { name: 'Remove picture' }).click();
  await expect(page.getByRole('status').filter({ hasText: 'Your picture is removed.' })).toBeVisible();
  await expect(held(page, 'Picture')).toHaveText(before);
});

test('the sessions say which one this is', async ({ page }) => {
  await page.goto('/profile/sessions');

  await expect(page.getByRole('row').filter({ hasText: 'This one' })).toHaveCount(1);
});

test('the data comes as a file', async ({ page }) => {
  await page.goto('/profile/data');
  const coming = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Download your data' }).click();
  const file = await coming;

  expect(file.suggestedFilename()).toBe('rollcall-my-data.json');
  expect(JSON.parse(readFileSync(await file.path(), 'utf8')).user.name).toBe('Grace Hopper');
});

test('the account is deleted for whoever types its name', async ({ page, users, javaScriptEnabled }) => {
  await page.goto('/profile/data');
  const question = page.getByRole('dialog', { name: 'Delete your account for ever?' });
  const answer = async (typed: string) => {
    await question.getByRole('textbox').fill(typed);
    await question.getByRole('button', { name: 'Delete for ever' }).click();
  };
  await page.getByRole('button', { name: 'Delete your account' }).click();
  await answer('somebody else');
  await expect(page.getByRole('main')).toContainText('This is not your username or e-mail address.');

  const stored = await users.findOne({ username: username(javaScriptEnabled) });
  // The question is still there, with what was typed.
  await expect(question.getByRole('textbox')).toHaveValue('somebody else');
  await answer(username(javaScriptEnabled));

  await expect(page.getByText('Your account is deleted.')).toBeVisible();
  await expect(page.getByRole('banner').getByRole('link', { name: 'Sign in' })).toBeVisible();
  expect((await users.findOne({ clerkId: stored?.clerkId }))?.deletedAt).toBeInstanceOf(Date);
});
