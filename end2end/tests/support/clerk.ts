// What happens at Clerk itself: the local one sends the webhook.
import { randomUUID } from 'node:crypto';
import { type APIRequestContext, expect } from '@playwright/test';

/** Somebody signs up there; answers their id. */
export async function signedUpAtClerk(request: APIRequestContext): Promise<string> {
  const email_address = [`clerk-${randomUUID()}@example.com`];
  const answer = await request.post(`${process.env.E2E_STANDIN}/__standin/users`, { data: { email_address, first_name: 'Cleo' } });
  expect(answer.ok()).toBe(true);
  return (await answer.json()).id;
}
