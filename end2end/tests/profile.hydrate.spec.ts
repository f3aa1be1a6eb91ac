// The states of the pages about oneself that a form leads to: no barrier in any, in light and dark.
import { writeFileSync } from 'node:fs';
import { barriers } from './support/barriers';
import { state } from './support/people';
import { expect, test } from './support/test';

test.use({ storageState: state('user') });

test('e_19 a picture that is far too large is refused on the page, and one at a time is sent', async ({ page }, testInfo) => {
  await page.goto('/profile');
  // A file, which the browser reads itself.
  const picture = testInfo.outputPath('large.png');
  writeFileSync(picture, Buffer.alloc(40 * 1024 * 1024, '\x89PNG\r\n\x1a\n', 'latin1'));
  await page.getByLabel('New picture').setInputFiles(picture);
  await page.getByRole('button', { name: 'Upload' }).click();
  await expect(page.getByText('At most 10 MB.').first()).toBeVisible();
  await expect(page.getByLabel('New picture')).toHaveAttribute('aria-invalid', 'true');
});

for (const colorScheme of ['light', 'dark'] as const) {
  test.describe(colorScheme, () => {
    test.beforeEach(async ({ page }) => page.emulateMedia({ colorScheme }));

    test('a refused name', async ({ page }) => {
      await page.goto('/profile');
      await page.getByRole('textbox', { name: 'Username' }).fill('ada');
      await page.getByRole('region', { name: 'Names' }).getByRole('button', { name: 'Save' }).click();
      await expect(page.getByRole('alert').first()).toBeVisible();

      expect(await barriers(page)).toEqual([]);
    });

    test('a saved form', async ({ page }) => {
      await page.goto('/profile');
      await page.getByRole('region', { name: 'About you' }).getByRole('button', { name: 'Save' }).click();
      await expect(page.getByRole('status').filter({ hasText: 'Nothing was changed.' })).toBeVisible();

      expect(await barriers(page)).toEqual([]);
    });

    test('the question before the account is deleted', async ({ page }) => {
      await page.goto('/profile/data');
      await page.getByRole('button', { name: 'Delete your account' }).click();
      await expect(page.getByRole('dialog')).toBeVisible();

      expect(await barriers(page)).toEqual([]);
      await page.keyboard.press('Escape');
      await expect(page.getByRole('dialog')).toHaveCount(0);
    });
  });
}
