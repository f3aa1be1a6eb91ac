// Names that are read from the right: each stays by itself, nothing around it changes its order, and nothing sticks out.
import type { Locator, Page } from '@playwright/test';
import { arrived, isolated, newcomer, signUp, state } from './support/people';
import { expect, test } from './support/test';

/** With a part that is read from the left, as most of such names here have one. */
const FIRST = 'נועה محمد';
const WIDTHS = [1280, 320];

test.describe('somebody else', () => {
  test.use({ storageState: state('admin') });

  test('e_30 in the directory, on their page, in a question and in what came of it', async ({ page, users }) => {
    const person = await arrived(users, FIRST);
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 800 });
      await page.goto(`/people?q=${person.username}`);
      await apart(page, page.getByRole('listitem').locator('bdi').filter({ hasText: person.name }));
      // What was looked for stands in a sentence of ours.
      await page.goto(`/people?q=${encodeURIComponent(person.name)}`);
      await apart(page, page.getByRole('heading', { level: 2 }).locator('bdi'));
      await page.goto(`/people/${person.username}`);
      await apart(page, page.getByRole('heading', { level: 1 }).locator('bdi'));

      await page.goto(`/admin/users/${person.id}`);
      await page.getByRole('button', { name: 'Lock', exact: true }).click();
      const question = page.getByRole('dialog', { name: `Lock ${isolated(person.name)}?` });
      await fits(page);
      await inOrder(question.getByRole('heading'), 'Lock', person.name, '?');
      await question.getByRole('button', { name: 'Lock', exact: true }).click();
      const notice = page.getByRole('status');
      await expect(notice).toContainText(`${isolated(person.name)} is locked`);
      await fits(page);
      await page.getByRole('button', { name: 'Unlock', exact: true }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Unlock', exact: true }).click();
      await expect(notice).toContainText(`${isolated(person.name)} is not locked any more.`);
      await fits(page);
    }
  });
});

test('e_30 oneself, on one\'s own page', async ({ page }) => {
  await signUp(page, { ...newcomer(), firstName: FIRST, lastName: 'Lev 7' });
  await page.waitForURL('**/profile');
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: 800 });
    await page.goto('/profile');
    const names = page.locator('main bdi').filter({ hasText: `${FIRST} Lev 7` });
    // At the head of the page, and among all that is held.
    await expect(names).toHaveCount(2);
    for (const name of await names.all()) await apart(page, name);
    const field = page.getByRole('textbox', { name: 'First name' });
    await expect(field).toHaveValue(FIRST);
    expect(await field.evaluate((input) => getComputedStyle(input).direction)).toBe('rtl');
  }
});

/** It is read from the right, the page from the left, and the page is no wider than its screen. */
async function apart(page: Page, name: Locator): Promise<void> {
  await expect(name).toBeVisible();
  expect(await name.evaluate((bdi) => getComputedStyle(bdi).direction)).toBe('rtl');
  expect(await page.evaluate(() => getComputedStyle(document.body).direction)).toBe('ltr');
  await fits(page);
}

async function fits(page: Page): Promise<void> {
  const { scrollWidth, width } = await page.evaluate(() => ({ scrollWidth: document.documentElement.scrollWidth, width: innerWidth }));
  expect(scrollWidth).toBeLessThanOrEqual(width);
}

/** Where it fits in a line, these parts of it follow each other from left to right. */
async function inOrder(text: Locator, ...parts: string[]): Promise<void> {
  const places = await text.evaluate((element, parts) => {
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    const nodes: Text[] = [];
    while (walker.nextNode()) nodes.push(walker.currentNode as Text);
    return parts.map((part) => {
      const node = nodes.find(({ data }) => data.includes(part));
      if (!node) return undefined;
      const range = document.createRange();
      range.setStart(node, node.data.indexOf(part));
      range.setEnd(node, node.data.indexOf(part) + part.length);
      const { left, right, top, height } = range.getBoundingClientRect();
      return { left, right, top, height };
    });
  }, parts);
  for (const [place, part] of parts.entries()) expect(places[place], part).toBeDefined();
  const isOneLine = new Set(places.map((place) => Math.round(place!.top))).size === 1;
  if (!isOneLine) return;
  for (let place = 1; place < places.length; place++) {
    expect(places[place]!.left).toBeGreaterThanOrEqual(places[place - 1]!.right - 1);
  }
}
