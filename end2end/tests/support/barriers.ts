// What axe finds on a page as it is now, and how it looks.
import { join } from 'node:path';
import AxeBuilder from '@axe-core/playwright';
import { expect, type Page } from '@playwright/test';

export interface Look {
  look: string;
  colorScheme: 'light' | 'dark';
  width: number;
  height: number;
}

/** In which every state is looked at. */
export const looks: readonly Look[] = [
  { look: 'light', colorScheme: 'light', width: 1280, height: 800 },
  { look: 'dark', colorScheme: 'dark', width: 1280, height: 800 },
  { look: 'phone', colorScheme: 'light', width: 390, height: 844 },
  { look: 'narrow', colorScheme: 'dark', width: 320, height: 640 },
];

/** The same and a very wide one, in which every page is looked at. */
export const everyWidth: readonly Look[] = [...looks, { look: 'wide', colorScheme: 'light', width: 2560, height: 1440 }];

export interface Looking {
  among?: readonly Look[];
  /** A part that is somebody else's to mend. */
  without?: string;
  /** What is open lies over what can be seen of the page, and over no more. */
  isOpen?: boolean;
}

/** Every barrier, small ones too, each with where it is; `without` leaves a part out. */
export async function barriers(page: Page, without?: string): Promise<string[]> {
  // The simple way looks at one document, in less than half of the time; our pages have no other.
  expect(page.frames()).toHaveLength(1);
  // Of WCAG 2.2, which axe itself leaves out unless it is asked.
  const rules = { 'target-size': { enabled: true } };
  const axe = new AxeBuilder({ page }).setLegacyMode().options({ resultTypes: ['violations'], rules });
  const { violations } = await (without ? axe.exclude(without) : axe).analyze();
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join('\n')}`);
}

/** A picture of the page as it is now in each look; none has a barrier, and nothing sticks out. What is wrong fails the test
 * once it has seen everything. */
export async function lookAt(page: Page, name: string, { among = looks, without, isOpen = false }: Looking = {}): Promise<void> {
  for (const { look, colorScheme, width, height } of among) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height });
    await page.screenshot({ path: join(__dirname, '../../screenshots', `${name}-${look}.png`), fullPage: !isOpen });
    expect.soft(await barriers(page, without), `${name}, ${look}`).toEqual([]);
    const widest = await page.evaluate(() => document.documentElement.scrollWidth);
    expect.soft(widest, `${name}, ${look}`).toBeLessThanOrEqual(width);
  }
}
