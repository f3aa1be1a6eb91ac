// People and requests that mean harm. What people say of themselves stands on every page as text (D5-01): the browser is told
// to ignore the content policy here, so that nothing but escaping is left to hold. And forms of other origins do nothing
// (D5-04).
import { randomUUID } from 'node:crypto';
import type { Page } from '@playwright/test';
import { type Collection, type Document, MongoClient } from 'mongodb';
import { Webhook } from 'svix';
import { impersonated, mongodbUri, place, webhookSecret } from './support/data';
import { pages } from './support/pages';
import { admin, newcomer, signIn, signUp, standing } from './support/people';
import { described, expect, held, test } from './support/test';

const PROJECT = 'production';
const RUN = 'window.harmed=1';

/** Each would run, or leave an element behind, if it were anything but text somewhere. */
const MARKUP = `<script>${RUN}</script><x-harm></x-harm>`;
const ATTRIBUTE = `"><img src=x onerror="${RUN}" data-harm>`;
const CORPUS = [
  MARKUP,
  ATTRIBUTE,
  `'><svg onload=${RUN} data-harm>`,
  `</title><script>${RUN}</script><x-harm>`,
  `</script><script>${RUN}</script><x-harm>`,
  `</textarea></option></select><x-harm>`,
  `--><script>${RUN}</script><x-harm><!--`,
  `" onfocus=${RUN} autofocus data-harm x="`,
  `<iframe srcdoc="<script>parent.harmed=1</script>" data-harm>`,
  `<a href="javascript:${RUN}" data-harm>a</a>`,
  `<style>*{display:none}</style><x-harm>`,
  `&lt;script&gt;${RUN}&lt;/script&gt;<x-harm>`,
  `\u2028</script ><script>${RUN}</script ><x-harm>`,
  `]]><x-harm>{{constructor.constructor("${RUN}")()}}`,
];

let client: MongoClient;
let users: Collection<Document>;
/** Clerk's ids of people who call themselves so. */
const hostile: { id: string; text: string; username: string }[] = [];

test.describe.configure({ mode: 'serial' });
test.use({ bypassCSP: true });

test.beforeAll(async () => {
  client = await MongoClient.connect(mongodbUri(PROJECT));
  users = client.db().collection('users');
  for (const [number, text] of CORPUS.entries()) {
    const answer = await fetch(`${place(PROJECT).standin}/__standin/users`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        email_address: [`h${randomUUID()}@example.com`],
        first_name: text,
        last_name: text,
        public_metadata: { role: text, [text]: text },
        unsafe_metadata: { text },
      }),
    });
    expect(answer.status).toBe(200);
    hostile.push({ id: (await answer.json()).id, text, username: `${text}${number}` });
  }
  await expect.poll(() => users.countDocuments({ clerkId: { $in: hostile.map(({ id }) => id) } })).toBe(hostile.length);
  // What Clerk would not take, but another hand may have written.
  for (const { id, text, username } of hostile) {
    const email = `${text}@example.com`;
    await users.updateOne({ clerkId: id }, { $set: { ...standing(), username, email, bio: text, imageUrl: `https://x/${text}` } });
  }
});

test.afterAll(async () => client.close());

test('d5_01 nothing that people say of themselves runs on any page', async ({ page }) => {
  test.setTimeout(180_000);
  page.on('dialog', (dialog) => dialog.accept());
  await signIn(page, admin);
  const event = await deliver(MARKUP, ATTRIBUTE);
  await audited(page);

  const text = encodeURIComponent(MARKUP);
  const places = pages.filter(({ path }) => !path.startsWith('/sign-')).map(({ path }) => path);
  const persons = hostile.map(({ id }) => `/admin/users/${id}`);
  const profiles = hostile.map(({ username }) => `/people/${encodeURIComponent(username)}`);
  const searches = ['/people?q=', '/admin/users?q=', '/admin/sync/events?q=', '/admin/sync/events?type=', '/admin/users?role=',
    '/admin/sync/audit?actor=', '/admin/sync/audit?action=', '/admin/sync/effects?person=', '/admin/sync/effects?state=',
    '/admin/sync?period=', '/admin/sync/runs?before=', '/admin/sync/replay?id=', '/admin/role-changes?role=user&id=',
    '/people?after=', '/verify?back=', '/no/such/', '/people/', '/admin/users/', '/admin/sync/events/', '/admin/sync/runs/'];
  const asked = searches.map((path) => `${path}${text}`);
  const about = ['/admin/users?sort=name&column=username&column=email&column=mongo', `/admin/sync/events/${event}`];
  for (const path of [...places, ...persons, ...profiles, ...asked, ...about]) {
    await page.goto(path);
    await harmless(page, path);
  }
  // It was there to be seen, also where the application shows a field of its own.
  await page.goto(`/admin/users/${hostile[0]?.id}`);
  await expect(page.getByText(MARKUP).first()).toBeVisible();
  await page.goto(profiles[0]!);
  await expect(described(page, 'Motto')).toContainText(MARKUP);
});

test('d5_01 nor of oneself, on any page where one is named', async ({ page }) => {
  test.setTimeout(180_000);
  // An admin of their own: others look at pages as the seeded one meanwhile.
  const person = newcomer();
  await signUp(page, person);
  await expect.poll(() => users.countDocuments({ email: person.email })).toBe(1);
  const me = (await users.findOne({ email: person.email }))!;
  const places = ['/', '/profile', '/profile/data', '/profile/sessions', '/people', '/verify?back=%2Fprofile', `/admin/users/${me.clerkId}`];
  try {
    for (const [number, text] of CORPUS.entries()) {
      const called = { firstName: text, lastName: text, name: text, username: `${text}me${number}`, bio: text, motto: text };
      const set = { ...called, ...standing(), role: 'admin', email: `${text}@example.com`, imageUrl: `https://x/${text}` };
      await users.updateOne({ _id: me._id }, { $set: set });
      for (const path of [...places, `/people/${encodeURIComponent(called.username)}`]) {
        await page.goto(path);
        await expect(page.getByRole('banner').getByRole('link', { name: 'Profile' }), path).toBeVisible();
        await harmless(page, path);
      }
      // It was there to be seen, where it can be changed, too.
      await page.goto('/profile');
      await expect(held(page, 'Name')).toContainText(text);
      await expect(page.getByRole('textbox', { name: 'Bio' })).toHaveValue(text);
      await expect(page.getByRole('textbox', { name: 'Motto' })).toHaveValue(text);
      await page.goto('/');
      // Somebody acts in their place, and says the same of themselves.
      const tokens = (await page.context().cookies()).filter(({ name }) => name.startsWith('__session'));
      await page.context().addCookies(tokens.map((cookie) => ({ ...cookie, value: impersonated(cookie.value, text, PROJECT) })));
      for (const path of ['/', '/profile']) {
        await page.goto(path);
        const banner = page.getByRole('complementary', { name: 'Impersonation' });
        await expect(banner.locator('bdi')).toHaveText(text);
        await expect(banner.locator('code')).toHaveText(text);
        await harmless(page, `${path} in somebody's place`);
      }
      await page.context().addCookies(tokens);
    }
  } finally {
    await users.updateOne({ _id: me._id }, { $set: { ...standing(), role: 'user' } });
  }
});

test('d5_01 nor on the pages where people sign in', async ({ page }) => {
  for (const path of ['/sign-in', '/sign-up']) {
    await page.goto(`${path}?redirect_url=${encodeURIComponent(MARKUP)}`);
    await expect(page.getByRole('textbox', { name: /^email address/i })).toBeVisible();
    await harmless(page, path);
    // Clerk's code leads on to addresses here only (D5-07), which by itself it would not.
    const allowed = await page.evaluate(() => (window as any).Clerk.__internal_getOption('allowedRedirectOrigins'));
    expect(allowed).toEqual([new URL(page.url()).origin]);
  }
});

test('d5_04 a form of another origin changes nothing, though the browser sends its cookies', async ({ page }) => {
  await signIn(page, admin);
  const before = await users.findOne({ email: admin.email });
  const { app, standin } = place(PROJECT);
  await page.goto(standin);

  const sent = await page.evaluate(async (app) => {
    const body = new URLSearchParams({ bio: 'Harmed.' });
    const kinds = ['application/x-www-form-urlencoded', 'text/plain', 'multipart/form-data; boundary=x'];
    const answers = kinds.map((type) =>
      fetch(`${app}/api/profile/edit_bio`, { method: 'POST', mode: 'no-cors', credentials: 'include', body: new Blob([`${body}`], { type }) }),
    );
    // Sent, though what comes back is kept from this page.
    return (await Promise.allSettled(answers)).length;
  }, app);
  expect(sent).toBe(3);
  const [answer] = await Promise.all([
    page.waitForResponse(`${app}/api/profile/edit_bio`),
    page.evaluate((app) => {
      const form = document.createElement('form');
      Object.assign(form, { method: 'post', action: `${app}/api/profile/edit_bio` });
      form.innerHTML = '<input name="bio" value="Harmed.">';
      document.body.append(form);
      form.submit();
    }, app),
  ]);

  expect(answer.status()).toBe(403);
  expect((await users.findOne({ email: admin.email }))?.bio).toBe(before?.bio);
});

async function harmless(page: Page, path: string): Promise<void> {
  // What would run does so at once, or when a picture has not loaded.
  await page.waitForLoadState('load');
  const found = await page.evaluate(() => ({
    ran: 'harmed' in window,
    elements: document.querySelectorAll('x-harm, [data-harm]').length,
    addresses: [...document.querySelectorAll('[href], [src], [action], [formaction]')]
      .flatMap((element) => ['href', 'src', 'action', 'formaction'].map((name) => element.getAttribute(name) ?? ''))
      .filter((address) => /^\s*(javascript|data:text|vbscript)/i.test(address)),
  }));
  expect(found, path).toEqual({ ran: false, elements: 0, addresses: [] });
}

/** An event of this type about somebody of this name, signed as Clerk does it. */
async function deliver(type: string, name: string): Promise<string> {
  const [id, at] = [`msg_${randomUUID().replaceAll('-', '')}`, new Date()];
  const data = { object: 'user', id: hostile[0]?.id, first_name: name, updated_at: at.getTime() };
  const body = JSON.stringify({ object: 'event', type, timestamp: at.getTime(), instance_id: name, data });
  const answer = await fetch(`${place(PROJECT).app}/api/webhooks/clerk`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'user-agent': name.replace(/[^ -~]/g, ''),
      'svix-id': id,
      'svix-timestamp': String(Math.floor(at.getTime() / 1000)),
      'svix-signature': new Webhook(webhookSecret(PROJECT)).sign(id, at, body),
    },
    body,
  });
  expect(answer.status).toBe(200);
  return id;
}

/** Leaves such a text in the audit trail and as the name of a filter. */
async function audited(page: Page): Promise<void> {
  await page.goto('/profile');
  const cookie = (await page.context().cookies()).map(({ name, value }) => `${name}=${value}`).join('; ');
  const forms: [string, Record<string, string>][] = [
    ['admin_users/change_role', { id: hostile[1]?.id ?? '', role: 'moderator', reason: ATTRIBUTE }],
    ['events/save_filter', { name: MARKUP.slice(0, 60), query: 'state=dead' }],
  ];
  for (const [path, fields] of forms) {
    const answer = await fetch(`${place(PROJECT).app}/api/${path}`, {
      method: 'POST',
      headers: { cookie, 'sec-fetch-site': 'same-origin', 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams(fields),
    });
    expect(answer.status, path).toBe(200);
  }
}
