// A picture of every page, to be looked at by a person (end2end/screenshots/), in light and dark, from a narrow screen to a very
// wide one; no barrier in any by axe, and nothing that sticks out. With Clerk's components, and as the page is without scripts.
// axe itself is JavaScript, so it cannot look at a browser that runs none.
import type { Page } from '@playwright/test';
import { barriers, everyWidth, lookAt } from './support/barriers';
import { clerkIsThere, pages } from './support/pages';
import { state } from './support/people';
import { expect, test } from './support/test';

for (const seen of pages) {
  test.describe(`${seen.path} as ${seen.who}`, () => {
    if (seen.who !== 'nobody') test.use({ storageState: state(seen.who) });

    test('e_26 in every look', async ({ page }) => {
      test.setTimeout(60_000);
      await page.goto(seen.path);
      if (seen.clerk) await clerkIsThere(page, seen.clerk);

      // Inside its profile Clerk shows a whole application of its own.
      const without = seen.clerk === 'profile' ? '.clerk-widget' : undefined;
      await lookAt(page, seen.name, { among: everyWidth, without });
    });

    if (seen.clerk === 'form') {
      for (const colorScheme of ['light', 'dark'] as const) {
        test(`${colorScheme}, without scripts`, async ({ page }) => {
          await withoutScripts(page);
          await page.emulateMedia({ colorScheme });
          await page.goto(seen.path);
          await expect(page.locator('noscript')).toHaveCount(0);

          expect(await barriers(page)).toEqual([]);
        });
      }
    }
  });
}

/** Serves documents as a browser without JavaScript shows them. */
async function withoutScripts(page: Page): Promise<void> {
  await page.route('**', async (route) => {
    if (route.request().resourceType() !== 'document') return route.fallback();
    const response = await route.fetch();
    const html = await response.text();
    await route.fulfill({ response, body: html.replace(/<script\b[\s\S]*?<\/script>|<\/?noscript>/g, '') });
  });
}
