// Signs the seeded people in once; what their browsers keep serves the specs that only look at pages.
import { test } from '@playwright/test';
import { admin, newcomer, signIn, signUp, state, user } from './support/people';

for (const [who, person] of Object.entries({ admin, user })) {
  test(`sign in as the seeded ${who}`, async ({ page }) => {
    await signIn(page, person);
    await page.context().storageState({ path: state(who as 'admin' | 'user') });
  });
}

// Whoever changes something about themselves is nobody else's; one for each kind of browser.
for (const who of ['editor', 'plain-editor'] as const) {
  test(`sign up as the ${who}`, async ({ page }) => {
    await signUp(page, newcomer());
    await page.context().storageState({ path: state(who) });
  });
}
