// Asks Clerk's own library about every request of `requests.mjs` and writes down what it says: `make oracle`.
//
// The table is read by `table.rs`, without Node. Lines in order: what all share, the tokens, the answers (each once), the
// requests with the number of their answer. Texts name tokens as `{name}` and the cookies' suffix as `{S}`.

import fs from 'node:fs';

import { DIRECTIVES, JWK, NOW, PEM, SUFFIXES, TOKENS } from './tokens.mjs';
import { CONFIGS, NAMES, requests } from './requests.mjs';

process.env.CLERK_TELEMETRY_DISABLED = '1';
const ENCODED = 'Y2xlcmsuY2xlcmsuZGV2JA';
const SDK = JSON.parse(fs.readFileSync(new URL('../../node_modules/@clerk/backend/package.json', import.meta.url))).version;

// What the library would ask the network, the clock and the console.
globalThis.fetch = async () => new Response(JSON.stringify({ keys: [JWK] }), { headers: { 'content-type': 'application/json' } });
let now = NOW * 1000;
Date.now = () => now;
for (const level of ['log', 'warn', 'error']) console[level] = () => {};
const { createAuthenticateRequest } = await import('@clerk/backend/internal');

const expand = (text, suffix) =>
  text.replace(/\{([A-Za-z0-9-]+)\}/g, (_, name) => (name === 'S' ? suffix : (TOKENS[name] ?? fail(name))));
const fail = name => {
  throw new Error(`no token is called ${name}`);
};
const byLength = Object.entries(TOKENS).sort(([, a], [, b]) => b.length - a.length);
const collapse = (text, suffix) => {
  for (const [name, token] of byLength) if (token.length > 20) text = text.replaceAll(token, `{${name}}`);
  return text.replaceAll(`_${suffix}`, '_{S}');
};

function optionsOf(config) {
  const { kind, parties, proxy, satellite, organizations, personal, keys } = config;
  return {
    publishableKey: `pk_${kind}_${ENCODED}`,
    secretKey: `sk_${kind}_x`,
    ...(keys === 'remote' ? {} : { jwtKey: PEM }),
    ...(parties && { authorizedParties: parties }),
    ...(proxy && { proxyUrl: proxy }),
    ...(satellite && {
      isSatellite: true,
      domain: satellite.domain,
      signInUrl: satellite.signInUrl,
      satelliteAutoSync: satellite.autoSync,
    }),
    ...((organizations || personal) && {
      organizationSyncOptions: { organizationPatterns: organizations, personalAccountPatterns: personal },
    }),
  };
}

/** The Backend API, with the answers that a request says it gives. */
function apiClientOf(row, suffix) {
  const directives = name => DIRECTIVES[name].map(text => expand(text, suffix));
  return {
    clients: {
      getHandshakePayload: async () => {
        if (!(row.n in DIRECTIVES)) throw new Error('no such nonce');
        return { directives: directives(row.n) };
      },
    },
    sessions: {
      refreshSession: async () => {
        if (row.f in DIRECTIVES) return { cookies: directives(row.f) };
        if (row.f === 'away') throw new Error('away');
        throw Object.assign(new Error('refused'), { errors: [{ code: row.f }] });
      },
    },
  };
}

async function ask(row) {
  const config = CONFIGS[row.k ?? 'live'];
  const suffix = SUFFIXES[config.kind];
  now = NOW * 1000 + (row.t ?? 0);
  const headers = new Headers();
  const add = (name, value) => value && headers.set(name, expand(value, suffix));
  const named = pair => `${NAMES[pair.slice(0, pair.indexOf('='))]}${pair.slice(pair.indexOf('='))}`;
  add('cookie', row.C ?? row.c?.split(';').map(named).join('; '));
  add('authorization', row.z);
  add('sec-fetch-dest', row.d ?? 'document');
  add('accept', row.x);
  add('referer', row.r);
  const url = new URL(expand(row.u ?? '/page?a=1', suffix), 'https://app.example.com');
  const request = new Request(url, { method: row.m ?? 'GET', headers });
  let state;
  try {
    const { authenticateRequest } = createAuthenticateRequest({ options: {}, apiClient: apiClientOf(row, suffix) });
    state = await authenticateRequest(request, optionsOf(config));
  } catch {
    return { s: 'throws' };
  }
  const get = name => state.headers.get(name);
  const answer = { s: { 'signed-in': 'in', 'signed-out': 'out' }[state.status] ?? state.status };
  if (state.reason) answer.r = state.reason;
  if (get('x-clerk-auth-message')) answer.m = 1;
  if (get('x-clerk-auth-status') !== (state.reason ? state.status : null)) throw new Error('the header says otherwise');
  if (get('x-clerk-auth-reason') !== state.reason) throw new Error('the header says otherwise');
  const location = get('location');
  if (location) {
    const url = new URL(location);
    answer.l = [url.origin + url.pathname, ...[...url.searchParams].flat()].map(text => collapse(text, suffix));
  }
  const cookies = state.headers.getSetCookie();
  if (cookies.length) answer.c = cookies.map(text => collapse(text, suffix));
  if (get('cache-control') === 'no-store') answer.h = 1;
  if (get('access-control-allow-origin')) answer.o = 1;
  if (state.status === 'signed-in') {
    const auth = state.toAuth({ treatPendingAsSignedOut: false });
    answer.k = collapse(state.token, suffix);
    answer.w = [auth.userId, auth.sessionId, auth.orgId, auth.orgSlug, auth.orgRole, auth.actor?.sub, auth.sessionStatus].map(
      text => text ?? null,
    );
  }
  return answer;
}

const answers = new Map();
const rows = [];
for (const row of requests()) {
  const answer = JSON.stringify(await ask(row));
  if (!answers.has(answer)) answers.set(answer, answers.size);
  rows.push({ ...row, a: answers.get(answer) });
}
const head = { sdk: SDK, now: NOW, pem: PEM, jwk: JWK, configs: CONFIGS, directives: DIRECTIVES, answers: answers.size };
const lines = [head, TOKENS].map(line => JSON.stringify(line)).concat([...answers.keys()], rows.map(row => JSON.stringify(row)));
fs.writeFileSync(new URL('./table.jsonl', import.meta.url), `${lines.join('\n')}\n`);
process.stdout.write(`${rows.length} requests, ${answers.size} answers, by @clerk/backend ${SDK}\n`);
