// The tokens of the recorded table: signed with a key that is made for one recording and thrown away.

import crypto from 'node:crypto';

export const NOW = 1_750_000_000;
export const ISSUER = 'https://clerk.clerk.dev';

const instance = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
const stranger = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
export const PEM = instance.publicKey.export({ type: 'spki', format: 'pem' });
export const JWK = { ...instance.publicKey.export({ format: 'jwk' }), kid: 'ins_test', use: 'sig', alg: 'RS256' };

const HEADER = { alg: 'RS256', typ: 'JWT', kid: 'ins_test', cat: 'cl_B7d4PD111AAA' };
const CLAIMS = {
  iss: ISSUER, sub: 'user_1', sid: 'sess_1', iat: NOW, nbf: NOW - 10, exp: NOW + 60, jti: 'j', v: 2, fva: [0, -1], sts: 'active',
};

const encode = value => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** A changed copy; what is changed to `null` is left out. */
const changed = (base, changes) =>
  Object.fromEntries(Object.entries({ ...base, ...changes }).filter(([, value]) => value !== null));

function signature(alg, message, { privateKey }) {
  const bytes = Buffer.from(message);
  if (alg === 'none') return Buffer.alloc(0);
  if (alg === 'HS256') return crypto.createHmac('sha256', PEM).update(bytes).digest();
  if (alg === 'PS256') {
    const padding = crypto.constants.RSA_PKCS1_PSS_PADDING;
    return crypto.sign('sha256', bytes, { key: privateKey, padding, saltLength: 32 });
  }
  const hash = { RS384: 'sha384', RS512: 'sha512' }[alg] ?? 'sha256';
  return crypto.sign(hash, bytes, privateKey);
}

function token(claims = {}, header = {}, signer = instance) {
  const [head, body] = [changed(HEADER, header), changed(CLAIMS, claims)];
  const message = `${encode(head)}.${encode(body)}`;
  return `${message}.${signature(head.alg, message, signer).toString('base64url')}`;
}

/** A signed handshake with these `Set-Cookie` texts, in which `{name}` stands for a token. */
const envelope = (directives, header = {}, signer = instance) => {
  const message = `${encode(changed(HEADER, header))}.${encode(directives)}`;
  return `${message}.${signature('RS256', message, signer).toString('base64url')}`;
};

const TOKENS = {
  ok: token(),
  newer: token({ iat: NOW + 2, jti: 'k' }),
  older: token({ iat: NOW - 40, nbf: NOW - 50, exp: NOW + 20 }),
  exp: token({ iat: NOW - 100, nbf: NOW - 110, exp: NOW - 40 }),
  'exp-nosid': token({ iat: NOW - 100, nbf: NOW - 110, exp: NOW - 40, sid: null }),
  bad: token({}, {}, stranger),
  foreign: token({ iss: 'https://other.clerk.accounts.dev' }, { kid: 'ins_other' }, stranger),
  'foreign-iss': token({ iss: 'https://other.clerk.accounts.dev' }),
  satellite: token({ iss: 'https://clerk.satellite.example' }),
  'no-iss': token({ iss: null }),
  'iss-number': token({ iss: 7 }),
  'iss-empty': token({ iss: '' }),
  'iss-http': token({ iss: 'http://clerk.clerk.dev' }),
  'iss-slash': token({ iss: 'https://clerk.clerk.dev/' }),
  'iss-alike': token({ iss: 'https://clerk.clerk.dev.evil.example' }),
  'no-sid': token({ sid: null }),
  'no-sub': token({ sub: null }),
  'sub-empty': token({ sub: '' }),
  'sub-number': token({ sub: 5 }),
  'sub-org': token({ sub: 'org_1' }),
  'sub-machine': token({ sub: 'mch_1' }),
  'no-exp': token({ exp: null }),
  'exp-text': token({ exp: String(NOW + 60) }),
  'exp-fraction': token({ exp: NOW + 60.5 }),
  'exp-negative': token({ exp: -1 }),
  'exp-huge': token({ exp: 2 ** 63 }),
  'no-iat': token({ iat: null }),
  'iat-text': token({ iat: String(NOW) }),
  'no-nbf': token({ nbf: null }),
  'nbf-text': token({ nbf: 'soon' }),
  'nbf-late': token({ nbf: NOW + 30 }),
  'iat-late': token({ iat: NOW + 30 }),
  'azp-own': token({ azp: 'https://app.example.com' }),
  'azp-other': token({ azp: 'https://evil.example' }),
  'azp-port': token({ azp: 'https://app.example.com:8443' }),
  'azp-prefix': token({ azp: 'https://app.example' }),
  'azp-empty': token({ azp: '' }),
  'azp-number': token({ azp: 1 }),
  aud: token({ aud: 'somebody' }),
  pending: token({ sts: 'pending' }),
  'sts-new': token({ sts: 'frozen' }),
  'no-sts': token({ sts: null }),
  actor: token({ act: { sub: 'user_2' } }),
  'actor-empty': token({ act: {} }),
  'org-v2': token({ o: { id: 'org_1', slg: 'acme', rol: 'admin' } }),
  'org-v2-bare': token({ o: { id: 'org_1' } }),
  'org-v1': token({ v: null, org_id: 'org_1', org_slug: 'acme', org_role: 'org:admin', org_permissions: [] }),
  'v-1': token({ v: null }),
  custom: token({ metadata: { plan: 'pro' }, role: 'x' }),
  'alg-none': token({}, { alg: 'none' }),
  'alg-hs256': token({}, { alg: 'HS256' }),
  'alg-ps256': token({}, { alg: 'PS256' }),
  'alg-rs384': token({}, { alg: 'RS384' }),
  'alg-rs512': token({}, { alg: 'RS512' }),
  'no-alg': token({}, { alg: null }),
  'no-typ': token({}, { typ: null }),
  'typ-at': token({}, { typ: 'at+jwt' }),
  'typ-long': token({}, { typ: 'application/at+jwt' }),
  'typ-lower': token({}, { typ: 'jwt' }),
  'no-cat': token({}, { cat: null }),
  'cat-ignore': token({}, { cat: 'cl_I7d4PD111III' }),
  'cat-template': token({}, { cat: 'cl_B7d4PD222AAA' }),
  'cat-machine': token({}, { cat: 'cl_B7d4PD333AAA' }),
  'cat-odd': token({}, { cat: 'x' }),
  crit: token({}, { crit: ['exp'] }),
  b64: token({}, { b64: false }),
  oiat: token({}, { oiat: NOW }),
  'no-kid': token({}, { kid: null }),
  'kid-other': token({}, { kid: 'ins_other' }),
  'kid-number': token({}, { kid: 7 }),
};

const parts = TOKENS.ok.split('.');
const spliced = TOKENS.newer.split('.');
Object.assign(TOKENS, {
  word: 'nonsense',
  'two-parts': `${parts[0]}.${parts[1]}`,
  'four-parts': `${TOKENS.ok}.x`,
  'no-signature': `${parts[0]}.${parts[1]}.`,
  'other-claims': `${parts[0]}.${spliced[1]}.${parts[2]}`,
  'other-signature': `${parts[0]}.${parts[1]}.${spliced[2]}`,
  padded: `${TOKENS.ok}==`,
  array: `${parts[0]}.${encode('[1]')}.${parts[2]}`,
  'not-json': `${parts[0]}.${encode('{')}.${parts[2]}`,
});

/** What Clerk says shall be set; `{S}` is the suffix. */
export const DIRECTIVES = {
  ok: ['__client_uat=1749999990; Path=/; Domain=example.com', '__session={ok}; Path=/; SameSite=Lax', '__session_{S}={ok}; Path=/'],
  plain: ['__session={ok}; Path=/'],
  refreshed: ['__session={newer}; Path=/', '__session_{S}={newer}; Path=/', '__refresh_{S}=r2; Path=/; HttpOnly; Secure'],
  browser: ['__clerk_db_jwt=dvb_9; Path=/', '__clerk_db_jwt_{S}=dvb_9; Path=/', '__client_uat=0; Path=/', '__session=; Path=/; Max-Age=0'],
  out: ['__client_uat=0; Path=/; Max-Age=31536000'],
  older: ['__session={older}; Path=/'],
  exp: ['__session={exp}; Path=/'],
  late: ['__session={iat-late}; Path=/'],
  spoilt: ['__session={bad}; Path=/'],
  template: ['__session={cat-template}; Path=/'],
  machine: ['__session={sub-machine}; Path=/'],
  pending: ['__session={pending}; Path=/'],
  neighbour: ['__session={ok}; Path=/', '__session_Aaaaaaaa={older}; Path=/'],
  foreign: ['evil=1; Path=/', '__session={ok}; Path=/', '__Host-x=1; Path=/; Secure'],
  attribute: ['__session={ok}; Path=/', '__client_uat=5; Path=/; Fancy=1'],
  two: ['__session={older}; Path=/', '__session={ok}; Path=/'],
  none: [],
};

const expanded = name =>
  DIRECTIVES[name].map(text => text.replace(/\{([a-z0-9-]+)\}/g, (_, known) => TOKENS[known]));

export const SUFFIXES = { test: 'QvfNY2dr', live: '1Z8AzTQD' };
for (const name of Object.keys(DIRECTIVES)) {
  for (const [kind, suffix] of Object.entries(SUFFIXES)) {
    TOKENS[`${kind}-${name}`] = envelope({ handshake: expanded(name).map(text => text.replaceAll('{S}', suffix)) });
  }
}
Object.assign(TOKENS, {
  'hs-bad': envelope({ handshake: expanded('plain') }, {}, stranger),
  'hs-template': envelope({ handshake: expanded('plain') }, { cat: 'cl_B7d4PD222AAA' }),
  'hs-typ': envelope({ handshake: expanded('plain') }, { typ: 'x' }),
  'hs-alg': envelope({ handshake: expanded('plain') }, { alg: 'RS1' }),
  'hs-no-cat': envelope({ handshake: expanded('plain') }, { cat: null }),
  'hs-text': envelope({ handshake: 'x=1' }),
  'hs-empty': envelope({}),
});

export { TOKENS };
