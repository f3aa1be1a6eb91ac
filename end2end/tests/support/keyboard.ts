// What somebody does who has no pointer.
import type { Page } from '@playwright/test';

/** Presses Tab until what has the focus is called so: by its label, or by its text. */
export async function tabTo(page: Page, name: RegExp): Promise<void> {
  for (let presses = 0; presses < 200; presses++) {
    await page.keyboard.press('Tab');
    const called = await page.evaluate(() => {
      const focused = document.activeElement;
      const labels = [...((focused as HTMLInputElement | null)?.labels ?? [])].map((label) => label.textContent);
      return [focused?.getAttribute('aria-label'), ...labels, focused?.textContent].map((text) => (text ?? '').replace(/\s+/g, ' ').trim());
    });
    if (called.some((text) => name.test(text))) return;
  }
  throw new Error(`nothing called ${name} takes the focus`);
}
