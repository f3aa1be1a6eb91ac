// What a page does for its reader: their own times, keys that save a way, no motion, names in any script.
import { arrived, state } from './support/people';
import { expect, test } from './support/test';

test.use({ storageState: state('admin') });

test.describe('far from Greenwich', () => {
  test.use({ timezoneId: 'Asia/Kolkata' });

  test('e_16 times are the reader\'s own, the whole one is a key away, and UTC is a choice', async ({ page, complaints }) => {
    await page.goto('/profile');
    const joined = page.locator('dd time:not(.ago, .day)').first();
    await expect(joined).toContainText('GMT+5:30');
    const ago = page.locator('time.ago').first();
    await expect(ago).toContainText(/ago|now/);
    await ago.focus();
    await expect(ago).toBeFocused();
    expect(await ago.evaluate((time) => getComputedStyle(time, '::after').content)).toContain('GMT+5:30');

    await page.getByRole('button', { name: 'Show times of UTC' }).click();
    await expect(page).toHaveURL(/\/profile$/);
    await expect(joined).toContainText(/UTC$/);
    await expect(ago).toContainText(/UTC$/);
    await page.getByRole('button', { name: 'Show times of my zone' }).click();
    await expect(joined).toContainText('GMT+5:30');
    expect(complaints).toEqual([]);
  });
});

test('e_21 a key leads to the search, another lists them, and both can be switched off', async ({ page, complaints }) => {
  await page.goto('/admin/users');
  const search = page.getByLabel('Name, username, e-mail address or id');
  await expect(async () => {
    await page.keyboard.press('/');
    await expect(search).toBeFocused({ timeout: 500 });
  }).toPass();
  await page.keyboard.press('/');
  await expect(search).toHaveValue('/');
  await search.blur();
  await page.keyboard.press('?');
  const list = page.getByRole('dialog', { name: 'Keyboard shortcuts' });
  await expect(list).toContainText('goes to the search');

  await list.getByRole('button', { name: 'Switch them off' }).click();
  await page.keyboard.press('/');
  await expect(search).not.toBeFocused();
  await page.getByRole('button', { name: 'Keyboard shortcuts' }).click();
  await list.getByRole('button', { name: 'Switch them on' }).click();
  await expect(async () => {
    await page.keyboard.press('/');
    await expect(search).toBeFocused({ timeout: 500 });
  }).toPass();
  expect(complaints).toEqual([]);
});

test('e_25 nothing moves for whoever wants no motion', async ({ page }) => {
  await page.emulateMedia({ reducedMotion: 'reduce' });
  for (const path of ['/admin/users', '/admin/sync', '/profile']) {
    await page.goto(path);
    const moving = await page.evaluate(() =>
      document.getAnimations().filter(({ effect }) => Number(effect?.getComputedTiming().duration) > 1).length,
    );
    expect(moving, path).toBe(0);
  }
});

test('e_30 a name that is read from the right stays by itself', async ({ page, users }) => {
  const person = await arrived(users, 'נועה');
  await page.goto(`/admin/users?q=${encodeURIComponent('נועה')}`);
  const name = page.getByRole('table', { name: 'People' }).locator('bdi').filter({ hasText: 'נועה' }).first();
  expect(await name.evaluate((bdi) => getComputedStyle(bdi).direction)).toBe('rtl');
  expect(await page.evaluate(() => getComputedStyle(document.body).direction)).toBe('ltr');
  await page.goto(`/admin/users/${person.id}`);
  const heading = page.getByRole('heading', { level: 1 });
  expect(await heading.locator('bdi').evaluate((bdi) => getComputedStyle(bdi).direction)).toBe('rtl');
  // It begins where every other heading begins.
  const [own, all] = await Promise.all([heading.locator('bdi').boundingBox(), heading.boundingBox()]);
  expect(Math.abs(own!.x - all!.x)).toBeLessThanOrEqual(1);
});
