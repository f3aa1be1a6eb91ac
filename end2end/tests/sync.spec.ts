// The sync page, with and without JavaScript: the word, the way from each number to its detail, charts with their tables,
// the connection page's buttons.
import type { Page } from '@playwright/test';
import { state } from './support/people';
import { signedUpAtClerk } from './support/clerk';
import { expect, test } from './support/test';

test.use({ storageState: state('admin') });

test('says how the mirror is in one word, why, and what to do', async ({ page, complaints }) => {
  await page.goto('/admin/sync');

  const panel = page.getByRole('region', { name: /The mirror is/ });
  await expect(panel.getByRole('heading')).toHaveText(/(Waiting|Healthy|Behind|Degraded|Silent|Broken)$/);
  await expect(panel).toContainText('As of');
  await expect(page.getByRole('link', { name: /Applied/ })).toHaveAttribute('href', '/admin/sync/events?state=applied');
  await expect(page.getByRole('link', { name: /Dead/ }).first()).toHaveAttribute('href', /failures/);
  expect(complaints).toEqual([]);
});

test('an event that Clerk sends is on the next page that is asked for, in two browsers within a second', async ({ page, browser, request, javaScriptEnabled }) => {
  const other = await (await browser.newContext({ storageState: state('admin'), javaScriptEnabled })).newPage();
  await Promise.all([page.goto('/admin/sync'), other.goto('/admin/sync')]);
  const clerkId = await signedUpAtClerk(request);
  const listed = async (one: Page) => {
    await one.goto('/admin/sync');
    return one.getByRole('table', { name: 'Last 50 events' }).getByRole('row').filter({ hasText: clerkId }).count();
  };
  // A page that is asked for a second later has it. Writing our id back to Clerk may have made a second one by then.
  await page.waitForTimeout(1_000);
  for (const count of await Promise.all([page, other].map(listed))) expect(count).toBeGreaterThan(0);
  await other.context().close();
});

test('shows charts of a time that is in the address, with the numbers behind each', async ({ page }) => {
  await page.goto('/admin/sync');
  await page.getByRole('link', { name: '24 hours' }).click();

  await expect(page).toHaveURL(/period=day/);
  await expect(page.getByRole('link', { name: '24 hours' })).toHaveAttribute('aria-current', 'true');
  const chart = page.getByRole('figure').filter({ hasText: 'Events by outcome' });
  await expect(chart.locator('.chart-picture svg')).toBeVisible();
  await chart.getByText('Numbers', { exact: true }).click();
  await expect(chart.getByRole('table').or(chart.getByText('No number in this time.'))).toBeVisible();
  await page.goBack();
  await expect(page.getByRole('link', { name: '1 hour' })).toHaveAttribute('aria-current', 'true');
});

test('sends a test event and examines everything from the connection page', async ({ page, complaints }) => {
  await page.goto('/admin/sync/connection');
  await page.getByRole('button', { name: 'Send a test event' }).click();
  await expect(page.getByRole('status').filter({ hasText: 'was accepted' })).toBeVisible();

  await page.getByRole('button', { name: 'Examine everything now' }).click();
  const findings = page.getByRole('table', { name: /As of/ });
  await expect(findings.getByRole('row').filter({ hasText: 'replica set' })).toContainText('ok');
  await expect(page.getByRole('table', { name: 'Webhook secrets' })).toContainText('in use');
  expect(complaints).toEqual([]);
});
