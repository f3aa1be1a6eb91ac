// `test` with what the specs share: the database behind the pages, and a watch over what the browser complains of.
import { type BrowserContext, test as base, expect, type Page } from '@playwright/test';
import { type Collection, type Document, MongoClient } from 'mongodb';
import { mongodbUri } from './data';

export { expect };

interface Shared {
  /** What the browser complained of since the test began: errors, violations of the policy, requests that failed. */
  complaints: string[];
}

interface Automatic {
  /** A token lives a minute and was made when the suite began: the first page has it renewed. */
  freshSession: void;
  /** Whatever a test does and wherever it goes, also in a context that it opens itself: nothing violates the content policy (D6). */
  policy: void;
}

interface Worker {
  users: Collection<Document>;
}

export const test = base.extend<Shared & Automatic, Worker>({
  freshSession: [
    async ({ context }, use) => {
      await context.clearCookies({ name: /^__session/ });
      await use();
    },
    { auto: true },
  ],

  policy: [
    async ({ browser, context }, use) => {
      const violations: string[] = [];
      const watch = (opened: BrowserContext) => {
        opened.on('console', (message) => {
          if (/content.security.policy/i.test(message.text())) violations.push(message.text());
        });
        return opened;
      };
      watch(context);
      const open = browser.newContext;
      browser.newContext = async (options) => watch(await open.call(browser, options));
      await use();
      browser.newContext = open;
      expect(violations).toEqual([]);
    },
    { auto: true },
  ],

  complaints: async ({ page, javaScriptEnabled }, use) => {
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(`uncaught: ${error.message}`));
    page.on('requestfailed', (request) => {
      // A browser without JavaScript refuses to load it, and says so.
      if (javaScriptEnabled === false && request.resourceType() === 'script') return;
      // Given up by the page itself because it was left meanwhile; what a server or the policy refuses has other names.
      if (request.failure()?.errorText === 'net::ERR_ABORTED') return;
      complaints.push(`failed: ${request.url()} ${request.failure()?.errorText}`);
    });
    page.on('response', (response) => {
      if (response.status() >= 400 && !response.request().isNavigationRequest()) {
        complaints.push(`${response.status()}: ${response.url()}`);
      }
    });
    page.on('console', (message) => {
      // Chromium's own word on the status of the page itself, which the specs assert.
      const status = message.text().startsWith('Failed to load resource') && message.location().url === page.url();
      if (message.type() === 'error' && !status) complaints.push(`console: ${message.text()}`);
    });
    await use(complaints);
  },

  users: [
    async ({}, use, worker) => {
      const client = await MongoClient.connect(mongodbUri(worker.project.name));
      await use(client.db().collection('users'));
      await client.close();
    },
    { scope: 'worker' },
  ],
});

/** The definition beside a term of the page's description list. */
export function described(page: Page, term: string) {
  return page
    .getByRole('term')
    .filter({ hasText: new RegExp(`^\\s*${term}\\s*$`) })
    .locator('xpath=following-sibling::dd[1]');
}

/** The value beside what it is, in the table of everything that is held. */
export function held(page: Page, what: string) {
  const row = page.getByRole('row').filter({ has: page.getByRole('rowheader', { name: what, exact: true }) });
  return row.getByRole('cell').first();
}
