// Where the focus goes on every page (E-21): past the navigation by the first key, to everything in the order in which it stands,
// never out of sight, always to be seen, and out again at the end.
import type { Page } from '@playwright/test';
import { pages } from './support/pages';
import { state } from './support/people';
import { expect, test } from './support/test';

/** More stops than any page of the suite has. */
const MOST_STOPS = 600;

interface Stop {
  what: string;
  /** Where it stands among everything. */
  place: number;
  isSeen: boolean;
  isMarked: boolean;
}

// What was asked wrongly has the focus from the start, and Clerk's components keep it their own way.
for (const seen of pages.filter(({ clerk, status }) => !clerk && status !== 400)) {
  test.describe(`${seen.path} as ${seen.who}`, () => {
    if (seen.who !== 'nobody') test.use({ storageState: state(seen.who) });

    test('e_21 the focus goes everywhere, in order and in sight, and nowhere stays', async ({ page }) => {
      test.setTimeout(60_000);
      await page.goto(seen.path);
      const stops: Stop[] = [];
      for (let stop = await next(page); stop && stops.length < MOST_STOPS; stop = await next(page)) {
        stops.push(stop);
        // Round again.
        if (stops.length > 1 && stop.place === stops[0]!.place) break;
      }
      const wrong = stops.filter(({ isSeen, isMarked }) => !isSeen || !isMarked);
      expect(wrong).toEqual([]);
      expect(stops.length).toBeGreaterThan(3);
      expect(stops.length).toBeLessThan(MOST_STOPS);
      expect(stops[0]?.what).toBe('Skip to content');
      const places = stops.slice(0, -1).map(({ place }) => place);
      expect(places).toEqual([...places].sort((a, b) => a - b));

      await page.goto(seen.path);
      await page.keyboard.press('Tab');
      await page.keyboard.press('Enter');
      await expect(page.getByRole('main')).toBeFocused();
    });
  });
}

/** Presses Tab; says where that led, nothing where it led out of the page. */
async function next(page: Page): Promise<Stop | undefined> {
  await page.keyboard.press('Tab');
  return page.evaluate(() => {
    const focused = document.activeElement;
    if (!focused || focused === document.body) return undefined;
    const { top, bottom, left, right, width, height } = focused.getBoundingClientRect();
    const { outlineStyle, outlineWidth } = getComputedStyle(focused);
    return {
      what: (focused.getAttribute('aria-label') ?? focused.textContent ?? focused.tagName).replace(/\s+/g, ' ').trim(),
      place: [...document.querySelectorAll('*')].indexOf(focused),
      isSeen: width > 0 && height > 0 && bottom > 0 && right > 0 && top < innerHeight && left < innerWidth,
      isMarked: outlineStyle !== 'none' && parseFloat(outlineWidth) > 0,
    };
  });
}
