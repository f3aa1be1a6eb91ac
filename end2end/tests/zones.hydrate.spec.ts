// Times as they are where the reader is: west and east of Greenwich, half an hour off, and with summer on either side of the
// world. What they should be is worked out here, not by the browser.
import { randomUUID } from 'node:crypto';
import type { Browser, BrowserContextOptions, Page } from '@playwright/test';
import { arrived, signIn, state } from './support/people';
import { expect, test } from './support/test';

/** Within an hour after midnight by New York's summer time, or by Auckland's: without it the day would be another. */
const [JULY, JANUARY] = ['2025-07-01T04:30:00Z', '2025-01-15T11:30:00Z'];
const zones = [
  { zone: 'America/New_York', july: '1 Jul 2025', january: '15 Jan 2025' },
  { zone: 'Asia/Kolkata', july: '1 Jul 2025', january: '15 Jan 2025' },
  { zone: 'Pacific/Auckland', july: '1 Jul 2025', january: '16 Jan 2025' },
];

test('e_16 moments and days are those of the reader\'s zone, by the clock of that season', async ({ page, browser, users }) => {
  test.setTimeout(90_000);
  const password = `pw-${randomUUID()}`;
  const summer = await arrived(users, 'Summer', { created_at: JULY, password });
  const winter = await arrived(users, 'Winter', { created_at: JANUARY });
  await signIn(page, { email: summer.email, password });
  const own = await page.context().storageState();

  for (const { zone, july, january } of zones) {
    await reading(browser, zone, own, async (page) => {
      await page.goto('/profile');
      await areOf(page, zone);
      await page.goto(`/people/${summer.username}`);
      await areOf(page, zone);
      await expect(page.locator('main time.day')).toHaveText(july);
      await page.goto(`/people/${winter.username}`);
      await areOf(page, zone);
      await expect(page.locator('main time.day')).toHaveText(january);
    });
    await reading(browser, zone, state('admin'), async (page) => {
      await page.goto('/admin/sync/events');
      await areOf(page, zone);
      await expect(page.locator('main tbody time.ago').first()).toContainText(/ago|now/);
    });
  }
});

/** Somebody signed in looks at pages there. */
async function reading(
  browser: Browser,
  timezoneId: string,
  storageState: BrowserContextOptions['storageState'],
  look: (page: Page) => Promise<void>,
): Promise<void> {
  const context = await browser.newContext({ timezoneId, storageState });
  await look(await context.newPage());
  await context.close();
}

/** All times of the page are those of the zone: a day, with the moment as its tip; how long ago, with the same; or the moment. */
async function areOf(page: Page, zone: string): Promise<void> {
  // They are UTC until a script has run.
  await expect(async () => {
    const times = await page.locator('main time').evaluateAll((found) =>
      found.map((time) => ({
        at: time.getAttribute('datetime') ?? '',
        kind: time.className,
        text: time.textContent ?? '',
        tip: time.getAttribute('title') ?? '',
      })),
    );
    expect(times.length).toBeGreaterThan(0);
    for (const { at, kind, text, tip } of times) {
      const moment = plain(kind ? tip : text);
      expect(moment, at).toContain(inZone(at, zone, { hour: '2-digit', minute: '2-digit', second: '2-digit' }));
      // Which zone it is stands behind, in letters or as what it differs by.
      expect(moment, at).toMatch(/\d\d:\d\d:\d\d (GMT[+\u2212-]\d|[A-Z]{3,4}$)/);
      expect(moment, at).not.toMatch(/UTC/);
      if (kind === 'day') expect(plain(text)).toBe(inZone(at, zone, {}));
    }
  }).toPass({ timeout: 10_000 });
}

/** As somebody in England reads the clock of that zone. */
function inZone(at: string, timeZone: string, clock: Intl.DateTimeFormatOptions): string {
  const day: Intl.DateTimeFormatOptions = { year: 'numeric', month: 'short', day: 'numeric' };
  return plain(new Intl.DateTimeFormat('en-GB', { ...day, ...clock, timeZone }).format(new Date(at)));
}

/** Versions of the same rules differ in which blank they use. */
function plain(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
