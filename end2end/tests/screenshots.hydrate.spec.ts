// A picture of every page, to be looked at by a person: end2end/screenshots/.
import { join } from 'node:path';
import { clerkIsThere, pages } from './support/pages';
import { state } from './support/people';
import { expect, test } from './support/test';

const looks = [
  { name: 'light', colorScheme: 'light', width: 1280, height: 800 },
  { name: 'dark', colorScheme: 'dark', width: 1280, height: 800 },
  { name: 'phone', colorScheme: 'light', width: 390, height: 844 },
  { name: 'wide', colorScheme: 'light', width: 2560, height: 1440 },
  { name: 'narrow', colorScheme: 'dark', width: 320, height: 640 },
] as const;

for (const seen of pages) {
  test.describe(seen.name, () => {
    if (seen.who !== 'nobody') test.use({ storageState: state(seen.who) });

    for (const { name, colorScheme, width, height } of looks) {
      test(`e_26 ${name}`, async ({ page }) => {
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width, height });
        await page.goto(seen.path);
        if (seen.clerk) await clerkIsThere(page, seen.clerk);

        await page.screenshot({ path: join(__dirname, '../screenshots', `${seen.name}-${name}.png`), fullPage: true });

        // Nothing sticks out: the page itself never scrolls sideways.
        expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
      });
    }
  });
}
