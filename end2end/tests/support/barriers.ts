// What axe finds on a page as it is now.
import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';

/** Every barrier, small ones too, each with where it is; `without` leaves a part out that is somebody else's to mend. */
export async function barriers(page: Page, without?: string): Promise<string[]> {
  // Of WCAG 2.2, which axe itself leaves out unless it is asked.
  const axe = new AxeBuilder({ page }).options({ rules: { 'target-size': { enabled: true } } });
  const { violations } = await (without ? axe.exclude(without) : axe).analyze();
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join('\n')}`);
}
