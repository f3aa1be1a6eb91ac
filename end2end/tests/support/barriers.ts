// What axe finds on a page as it is now.
import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';

/** Serious barriers, each with where it is. */
export async function barriers(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join('\n')}`);
}
