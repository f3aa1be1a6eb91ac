// No barrier on any page, by axe, in light and dark; with Clerk's components, and as the page is without scripts.
// axe itself is JavaScript, so it cannot look at a browser that runs none.
import type { Page } from '@playwright/test';
import { barriers } from './support/barriers';
import { clerkIsThere, pages } from './support/pages';
import { state } from './support/people';
import { expect, test } from './support/test';

for (const seen of pages) {
  test.describe(`${seen.path} as ${seen.who}`, () => {
    if (seen.who !== 'nobody') test.use({ storageState: state(seen.who) });

    for (const colorScheme of ['light', 'dark'] as const) {
      test(colorScheme, async ({ page }) => {
        await page.emulateMedia({ colorScheme });
        await page.goto(seen.path);
        if (seen.clerk) await clerkIsThere(page, seen.clerk);

        // Inside its profile Clerk shows a whole application of its own.
        const without = seen.clerk === 'profile' ? '.clerk-widget' : undefined;
        expect(await barriers(page, without)).toEqual([]);
      });

      if (seen.clerk === 'form') {
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
