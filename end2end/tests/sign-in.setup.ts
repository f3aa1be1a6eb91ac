// Signs the seeded people in once; what their browsers keep serves the specs that only look at pages.
import { test } from '@playwright/test';
import { admin, signIn, state, user } from './support/people';

for (const [who, person] of Object.entries({ admin, user })) {
  test(`sign in as the seeded ${who}`, async ({ page }) => {
    await signIn(page, person);
    await page.context().storageState({ path: state(who as 'admin' | 'user') });
  });
}
