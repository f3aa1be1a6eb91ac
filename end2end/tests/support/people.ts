// The people of the suite, and what they do in Clerk's own components.
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { expect, type Page } from '@playwright/test';
import { type Collection, type Document, Long, ObjectId } from 'mongodb';
import { secretKey } from './data';

/** The code that the local Clerk takes as if it came by mail. */
const CODE = '424242';

export interface Person {
  email: string;
  password: string;
  firstName?: string;
  lastName?: string;
}

/** Those whom `rollcall dev` knows from the start. */
export const admin: Person = { email: 'admin@example.com', password: 'rollcall-Demo-2026' };
export const user: Person = { email: 'user@example.com', password: 'rollcall-Demo-2026' };

export function newcomer(): Person {
  const email = `e2e-${randomUUID()}@example.com`;
  return { email, password: `pw-${randomUUID()}`, firstName: 'Ada', lastName: 'Lovelace' };
}

/** A name as it stands in a text: isolated, so that it turns nothing around it. */
export function isolated(name: string): string {
  return `\u2068${name}\u2069`;
}

/**
 * What goes beside what a test writes into somebody's document, so that it stays there for some minutes: whatever Clerk says
 * meanwhile is older, also what is being carried out by now. A time further ahead than five minutes would be none (D3-23).
 */
export function standing(): Document {
  const at = Long.fromNumber(Date.now() + 4 * 60_000);
  return { version: { updatedAt: at, eventAt: at }, lastClerkSync: new Date(), etag: new ObjectId() };
}

/** Where the browser state of a signed-in person is kept for the specs that only look at pages. */
export function state(who: 'admin' | 'user' | 'editor' | 'plain-editor'): string {
  return join(__dirname, '../../../test-results', `signed-in-${who}.json`);
}

export async function signUp(page: Page, person: Person): Promise<void> {
  await page.goto('/sign-up');
  await page.getByRole('textbox', { name: 'First name' }).fill(person.firstName ?? '');
  await page.getByRole('textbox', { name: 'Last name' }).fill(person.lastName ?? '');
  await page.getByRole('textbox', { name: 'Email address' }).fill(person.email);
  const password = page.getByRole('textbox', { name: 'Password', exact: true });
  await password.fill(person.password);
  // What the component says of the password moves its button, under the pointer if need be.
  await password.press('Enter');
  await page.getByRole('textbox', { name: 'Enter verification code' }).fill(CODE);
  await expect(signOutButton(page)).toBeVisible();
}

export async function signIn(page: Page, person: Person): Promise<void> {
  await page.goto('/sign-in');
  await page.getByRole('textbox', { name: /^email address/i }).fill(person.email);
  await page.getByRole('button', { name: 'Continue', exact: true }).click();
  await page.getByRole('textbox', { name: 'Password', exact: true }).fill(person.password);
  await page.getByRole('button', { name: 'Continue', exact: true }).click();
  await expect(signOutButton(page)).toBeVisible();
}

export async function signOut(page: Page): Promise<void> {
  await signOutButton(page).click();
  await expect(page.getByRole('banner').getByRole('link', { name: 'Sign in' })).toBeVisible();
}

/** Somebody new at the local Clerk, who has arrived here; `more` is what else Clerk is told of them. */
export async function arrived(
  users: Collection<Document>,
  first: string,
  more: object = {},
): Promise<{ id: string; name: string; username: string; email: string }> {
  const unique = randomUUID().slice(0, 8);
  const answer = await fetch(`${process.env.E2E_STANDIN}/v1/users`, {
    method: 'POST',
    headers: { authorization: `Bearer ${secretKey()}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      first_name: first,
      last_name: unique,
      username: `u_${unique}`,
      email_address: [`${unique}@example.com`],
      skip_password_requirement: true,
      ...more,
    }),
  });
  const { id } = (await answer.json()) as { id: string };
  await expect.poll(() => users.countDocuments({ clerkId: id })).toBe(1);
  return { id, name: `${first} ${unique}`, username: `u_${unique}`, email: `${unique}@example.com` };
}

function signOutButton(page: Page) {
  return page.getByRole('banner').getByRole('button', { name: 'Sign out' });
}
