// The webhook against two independent signers, and ten forgers.
import { randomUUID } from 'node:crypto';
import type { APIRequestContext } from '@playwright/test';
import { Webhook as Standard } from 'standardwebhooks';
import { Webhook as Svix } from 'svix';
import { webhookSecret } from './support/data';
import { expect, test } from './support/test';

const MINUTE = 60_000;

interface Delivery {
  clerkId: string;
  headers: Record<string, string>;
  body: string;
}

/** What Clerk sends when a person signs up, signed by Svix' own library. */
function delivery(key: string, sentAt = new Date()): Delivery {
  const clerkId = `user_${randomUUID().replaceAll('-', '')}`;
  const id = `msg_${randomUUID().replaceAll('-', '')}`;
  const body = JSON.stringify(userCreated(clerkId, sentAt.getTime()));
  const headers = {
    'content-type': 'application/json',
    'svix-id': id,
    'svix-timestamp': String(Math.floor(sentAt.getTime() / 1000)),
    'svix-signature': new Svix(key).sign(id, sentAt, body),
  };
  return { clerkId, headers, body };
}

function userCreated(clerkId: string, at: number) {
  const email = `${clerkId.toLowerCase()}@example.com`;
  return {
    object: 'event',
    type: 'user.created',
    timestamp: at,
    instance_id: 'ins_e2e',
    event_attributes: { http_request: { client_ip: '127.0.0.1', user_agent: 'e2e' } },
    data: {
      object: 'user',
      id: clerkId,
      username: null,
      first_name: 'Grace',
      last_name: 'Hopper',
      image_url: '',
      has_image: false,
      primary_email_address_id: `idn_${clerkId}`,
      primary_phone_number_id: null,
      primary_web3_wallet_id: null,
      email_addresses: [
        {
          object: 'email_address',
          id: `idn_${clerkId}`,
          email_address: email,
          reserved: false,
          verification: { status: 'verified', strategy: 'email_code', attempts: 1, expire_at: null },
          linked_to: [],
          created_at: at,
          updated_at: at,
        },
      ],
      phone_numbers: [],
      web3_wallets: [],
      external_accounts: [],
      public_metadata: {},
      private_metadata: {},
      unsafe_metadata: {},
      password_enabled: true,
      two_factor_enabled: false,
      banned: false,
      locked: false,
      external_id: null,
      last_sign_in_at: null,
      last_active_at: null,
      created_at: at,
      updated_at: at,
    },
  };
}

function send(request: APIRequestContext, { headers, body }: Delivery) {
  return request.post('/api/webhooks/clerk', { headers, data: Buffer.from(body) });
}

test('signed by svix: accepted, and the person is there', async ({ request, users }) => {
  const sent = delivery(webhookSecret());

  const answer = await send(request, sent);

  expect(answer.status()).toBe(200);
  expect(await answer.json()).toEqual({ received: true });
  await expect.poll(() => users.findOne({ clerkId: sent.clerkId }), { timeout: 2_000 }).toMatchObject({ name: 'Grace Hopper' });
});

test('signed by standardwebhooks, under its own header names: accepted', async ({ request, users }) => {
  const key = webhookSecret();
  const sent = delivery(key);
  const id = sent.headers['svix-id']!;
  const now = new Date();
  sent.headers = {
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
    'webhook-signature': new Standard(key).sign(id, now, sent.body),
  };

  const answer = await send(request, sent);

  expect(answer.status()).toBe(200);
  expect(await answer.json()).toEqual({ received: true });
  await expect.poll(() => users.findOne({ clerkId: sent.clerkId }), { timeout: 2_000 }).toMatchObject({ name: 'Grace Hopper' });
});

test('delivered twice: accepted twice, kept once', async ({ request, users }) => {
  const sent = delivery(webhookSecret());

  expect((await send(request, sent)).status()).toBe(200);
  expect((await send(request, sent)).status()).toBe(200);

  await expect.poll(() => users.countDocuments({ clerkId: sent.clerkId }), { timeout: 2_000 }).toBe(1);
});

const forgeries: Record<string, (key: string) => Delivery> = {
  'a header is missing': (key) => {
    const sent = delivery(key);
    delete sent.headers['svix-timestamp'];
    return sent;
  },
  'the signature is another one': (key) => {
    const sent = delivery(key);
    sent.headers['svix-signature'] = delivery(key).headers['svix-signature']!;
    return sent;
  },
  'one byte of the body is changed': (key) => {
    const sent = delivery(key);
    sent.body = sent.body.replace('Grace', 'Trace');
    return sent;
  },
  'the timestamp is old': (key) => delivery(key, new Date(Date.now() - 6 * MINUTE)),
  'the timestamp is in the future': (key) => delivery(key, new Date(Date.now() + 6 * MINUTE)),
  'the secret is another one': () => delivery(`whsec_${Buffer.from(randomUUID()).toString('base64')}`),
  'the id is another one': (key) => {
    const sent = delivery(key);
    sent.headers['svix-id'] = `msg_${randomUUID()}`;
    return sent;
  },
  'the signature has a version that nobody knows': (key) => {
    const sent = delivery(key);
    sent.headers['svix-signature'] = sent.headers['svix-signature']!.replace(/^v1,/, 'v2,');
    return sent;
  },
  'the signature is empty': (key) => {
    const sent = delivery(key);
    sent.headers['svix-signature'] = '';
    return sent;
  },
  'the signature is cut short': (key) => {
    const sent = delivery(key);
    sent.headers['svix-signature'] = sent.headers['svix-signature']!.slice(0, -4);
    return sent;
  },
};

for (const [what, forge] of Object.entries(forgeries)) {
  test(`${what}: refused, without a trace`, async ({ request, users }) => {
    const key = webhookSecret();
    const forged = forge(key);

    const answer = await send(request, forged);

    expect(answer.status()).toBe(400);
    // An honest event sent later has arrived: the forged one would have, too.
    const honest = delivery(key);
    expect((await send(request, honest)).status()).toBe(200);
    await expect.poll(() => users.countDocuments({ clerkId: honest.clerkId }), { timeout: 2_000 }).toBe(1);
    expect(await users.countDocuments({ clerkId: forged.clerkId })).toBe(0);
  });
}
