// What can be taken back can be for ten seconds, and for as long as somebody is about to.
import type { BrowserContext, Locator, Page } from '@playwright/test';
import type { Collection, Document } from 'mongodb';
import { arrived, isolated, state } from './support/people';
import { expect, test } from './support/test';

test.use({ storageState: state('admin') });

const TEN_SECONDS = 10_000;

/** A page on which a role was just given. */
interface Given {
  page: Page;
  undo: Locator;
  /** When it was asked for: the notice is younger. */
  since: number;
}

test('e_13 the way back goes after ten seconds, without motion too, and waits for pointer and focus', async ({ context, users }) => {
  test.setTimeout(90_000);
  // One after the other: what the next page says travels in the browser's one notice.
  const still = await give(context, users, 'no-preference');
  const calm = await give(context, users, 'reduce');
  const pointed = await give(context, users, 'no-preference');
  await pointed.page.getByRole('status').hover();
  const focused = await give(context, users, 'no-preference');
  await focused.undo.focus();

  for (const { page, undo, since } of [still, calm]) {
    // Nothing moves in a page that nobody sees.
    await page.bringToFront();
    await expect(undo).toBeHidden({ timeout: 15_000 });
    expect(Date.now() - since).toBeGreaterThanOrEqual(TEN_SECONDS);
  }
  // As much time as those two had, and more.
  await expect.poll(() => Date.now() - focused.since, { timeout: 15_000 }).toBeGreaterThan(TEN_SECONDS + 1_000);
  await expect(pointed.undo).toBeVisible();
  await expect(focused.undo).toBeVisible();
  await expect(focused.undo).toBeFocused();

  // Whoever has turned away has what was left of the time.
  await shorten(pointed);
  await pointed.page.mouse.move(1, 1);
  await expect(pointed.undo).toBeHidden();
  await shorten(focused);
  await focused.undo.blur();
  await expect(focused.undo).toBeHidden();
  // What the notice says stays.
  await expect(focused.page.getByRole('status')).toContainText('is moderator now, was user.');
});

/** Gives somebody new a role, with the pointer away from what is said of it. */
async function give(
  context: BrowserContext,
  users: Collection<Document>,
  reducedMotion: 'reduce' | 'no-preference',
): Promise<Given> {
  const person = await arrived(users, 'Undone');
  const page = await context.newPage();
  await page.emulateMedia({ reducedMotion });
  await page.goto(`/admin/users/${person.id}`);
  await page.getByRole('combobox', { name: 'Role', exact: true }).selectOption('moderator');
  const since = Date.now();
  await page.getByRole('button', { name: 'Change role' }).click();
  await page.mouse.move(1, 1);
  const undo = page.getByRole('button', { name: 'Undo', exact: true });
  await expect(page.getByRole('status')).toContainText(`${isolated(person.name)} is moderator now, was user.`);
  await expect(undo).toBeVisible();
  return { page, undo, since };
}

/** Lets a moment be left of the time, without which the test would wait for all of it. */
async function shorten({ page }: Given): Promise<void> {
  await page.bringToFront();
  const left = await page.locator('form.undo').evaluate((form) => {
    const [withdrawing] = form.getAnimations();
    if (!withdrawing) return undefined;
    const before = Number(withdrawing.currentTime);
    withdrawing.currentTime = 9_500;
    return 10_000 - before;
  });
  // It stood still meanwhile.
  expect(left).toBeGreaterThan(0);
}
