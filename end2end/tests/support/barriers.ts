// What axe finds on a page as it is now.
import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';

/** Serious barriers, each with where it is; `without` leaves a part out that is somebody else's to mend. */
export async function barriers(page: Page, without?: string): Promise<string[]> {
  const axe = new AxeBuilder({ page });
  const { violations } = await (without ? axe.exclude(without) : axe).analyze();
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join('\n')}`);
}
