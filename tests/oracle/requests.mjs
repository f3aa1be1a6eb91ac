// The requests of the recorded table. A request: `k` configuration (live), `m` method (GET), `u` address, `c` cookies,
// `z` authorization, `d` sec-fetch-dest (document), `x` accept, `r` referer, `t` milliseconds after the recorded moment,
// `n` what a nonce stands for, `f` what a refresh brings. `{name}` is a token, `{S}` the cookies' suffix.

import { DIRECTIVES, NOW, TOKENS } from './tokens.mjs';

const SATELLITE = { domain: 'satellite.example', signInUrl: 'https://app.example.com/sign-in', autoSync: false };
const PRIMARY = { satellites: ['https://satellite.example', 'https://app.satellite.example'] };

/** How each of the servers is configured. `satellites` is ours alone. */
export const CONFIGS = {
  test: { kind: 'test' },
  live: { kind: 'live' },
  'test-parties': { kind: 'test', parties: ['https://app.example.com'] },
  'live-parties': { kind: 'live', parties: ['https://app.example.com', 'https://app.example.com:8443'] },
  'test-path': { kind: 'test', proxy: '/__clerk' },
  'live-path': { kind: 'live', proxy: '/__clerk/' },
  'live-http': { kind: 'live', proxy: 'http://proxy.example:8080/clerk//' },
  'live-remote': { kind: 'live', keys: 'remote' },
  'test-primary': { kind: 'test', ...PRIMARY },
  'live-primary': { kind: 'live', ...PRIMARY },
  'test-satellite': { kind: 'test', satellite: SATELLITE },
  'live-satellite': { kind: 'live', satellite: SATELLITE },
  'test-satellite-auto': { kind: 'test', satellite: { ...SATELLITE, autoSync: true } },
  'live-satellite-auto': { kind: 'live', satellite: { ...SATELLITE, autoSync: true } },
  'live-satellite-path': { kind: 'live', proxy: '/__clerk', satellite: SATELLITE },
  'test-organizations': { kind: 'test', organizations: ['/orgs/:slug', '/orgs/:slug/(.*)', '/by-id/:id'], personal: ['/me', '/me/(.*)'] },
  'live-organizations': { kind: 'live', organizations: ['/orgs/:slug', '/orgs/:slug/(.*)', '/by-id/:id'], personal: ['/me', '/me/(.*)'] },
};

const PAGE = '/page';
const KINDS = ['test', 'live'];
const SET = String(NOW - 100);
const LATE = String(NOW + 1);

export const NAMES = {
  s: '__session', S: '__session_{S}', u: '__client_uat', U: '__client_uat_{S}', d: '__clerk_db_jwt', D: '__clerk_db_jwt_{S}',
  r: '__refresh', R: '__refresh_{S}', h: '__clerk_handshake', n: '__clerk_handshake_nonce', l: '__clerk_redirect_count',
};
/** `s`, `u`, … plain and `S`, `U`, … suffixed; what is undefined is absent. */
const cookies = values =>
  Object.entries(values).filter(([, value]) => value !== undefined).map(([name, value]) => `${name}=${value}`).join(';');
/** Whatever a browser of that instance needs beside its session. */
const browser = kind => (kind === 'test' ? { d: 'dvb_1' } : {});
const signedIn = (kind, token = '{ok}') => cookies({ ...browser(kind), u: SET, s: token });

function* product(lists) {
  const [[name, values], ...rest] = lists;
  for (const value of values) {
    if (rest.length === 0) yield { [name]: value };
    else for (const other of product(rest)) yield { [name]: value, ...other };
  }
}
const every = lists => [...product(Object.entries(lists))];

/** The same numbers each time (mulberry32). */
function numbers(seed) {
  let state = seed;
  return below => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** Which of the two sets of cookies counts, and what it says. */
function* choices() {
  const random = numbers(1);
  const sets = {
    d: [undefined, 'dvb_1'], D: [undefined, 'dvb_2'], u: [undefined, '0', SET, LATE], U: [undefined, '0', SET, LATE],
    s: [undefined, '{ok}', '{exp}', '{bad}', '{foreign}', '{no-iss}'], S: [undefined, '{ok}', '{newer}', '{exp}', '{bad}'],
  };
  for (const k of KINDS) {
    for (const values of every(sets)) {
      if (k === 'live' && (values.d || values.D)) continue;
      const row = { k, c: cookies(values) };
      if (random(k === 'test' ? 4 : 1) === 0) yield row;
      if (random(12) === 0) yield { ...row, m: ['POST', 'HEAD', 'PUT'][random(3)] };
      if (random(12) === 0) yield { ...row, d: ['empty', 'iframe', 'image'][random(3)] };
      if (random(12) === 0) yield { ...row, t: [-6000, 20_000, 66_000][random(3)] };
    }
  }
  for (const k of KINDS) {
    for (const u of ['12abc', '-5', '', '0x10', ' 7', '1e9', '00', '9'.repeat(30), '%31', '"5"', '0']) {
      for (const s of [undefined, '{ok}']) {
        yield { k, c: cookies({ ...browser(k), u, s }) };
        yield { k, c: cookies({ D: 'dvb_1', U: u, S: s, s: '{foreign}' }) };
      }
    }
  }
}

/** Who can be sent to Clerk. */
function* eligibility() {
  const ways = every({
    m: ['GET', 'POST', 'HEAD', 'DELETE'], d: ['', 'document', 'iframe', 'empty', 'image', 'Document'],
    x: [undefined, 'text/html,*/*;q=0.8', '*/*', 'application/json, text/html', ' text/html', 'text/htmlx'],
  });
  const states = k => [cookies(browser(k)), cookies({ ...browser(k), u: SET }), signedIn(k), signedIn(k, '{exp}'), signedIn(k, '{bad}')];
  for (const k of KINDS) for (const way of ways) for (const c of states(k)) if (way.m === 'GET' || !way.x) yield { k, c, ...way };
}

/** Times around every edge. */
function* times() {
  for (const k of KINDS) {
    for (const [name, edge] of [['ok', 60_000], ['nbf-late', 30_000], ['iat-late', 30_000], ['exp-fraction', 60_000], ['ok', -10_000], ['ok', 0]]) {
      for (const skew of [-5000, 0, 5000]) {
        for (const around of [-1000, -1, 0, 1, 1000]) {
          const t = edge + skew + around;
          yield { k, t, c: signedIn(k, `{${name}}`) };
          yield { k, t, z: `Bearer {${name}}` };
          yield { k, t, z: `Bearer {${name}}`, d: 'empty' };
        }
      }
    }
    for (const uat of [-2, -1, 0, 1, 2]) yield { k, c: cookies({ ...browser(k), u: NOW + uat, s: '{ok}' }) };
  }
}

/** Every token, in every place, with and without parties and fetched keys. */
function* tokens() {
  const names = Object.keys(TOKENS).filter(name => !/^(test|live|hs)-/.test(name));
  for (const name of names) {
    for (const k of KINDS) {
      yield { k, z: `Bearer {${name}}` };
      yield { k, z: `Bearer {${name}}`, m: 'POST' };
      yield { k, c: signedIn(k, `{${name}}`) };
      yield { k, c: signedIn(k, `{${name}}`), d: 'empty' };
      yield { k, c: cookies({ D: 'dvb_1', U: SET, S: `{${name}}` }) };
      yield { k, c: cookies({ ...browser(k), D: 'dvb_1', U: SET, S: `{${name}}`, u: SET, s: '{ok}' }) };
    }
    yield { k: 'live-remote', z: `Bearer {${name}}` };
    yield { k: 'live-remote', c: signedIn('live', `{${name}}`) };
    for (const kind of KINDS) {
      yield { k: `${kind}-parties`, z: `Bearer {${name}}` };
      yield { k: `${kind}-parties`, c: signedIn(kind, `{${name}}`) };
    }
  }
}

/** How the header can look. */
function* headers() {
  const forms = [
    'Bearer {ok}', '{ok}', 'Bearer {ok} more', 'Bearer  {ok}', 'Bearer', 'Bearer ', 'bearer {ok}', 'BEARER {ok}', 'Basic {ok}',
    ' Bearer {ok}', 'Bearer\t{ok}', 'Bearer {bad}', 'Bearer {exp}', '{exp}', 'Bearer word', 'Bearer {ok},{ok}', 'Token token={ok}',
    'mt_x', 'oat_x', 'ak_x', 'Bearer ak_x',
  ];
  for (const k of KINDS) {
    for (const z of forms) {
      for (const c of [undefined, signedIn(k), signedIn(k, '{bad}'), cookies({ ...browser(k), u: '0' })]) {
        for (const d of ['document', 'empty']) yield { k, z, c, d };
      }
    }
  }
}

/** How a line of cookies can look. */
function* lines() {
  const odd = [
    '__session="{ok}"; __client_uat="5"', '__session={ok}; __session={bad}; __client_uat=5', '__session={bad}; __session={ok}; __client_uat=5',
    '__session=%7Bok%7D; __client_uat=5', ' __session = {ok} ;  __client_uat = 5 ', '__session={ok};__client_uat=5', '__session; __client_uat=5',
    '=x; __session={ok}; __client_uat=5', '__session={ok}=; __client_uat=5', '__Session={ok}; __client_uat=5', 'x=__session={ok}; __client_uat=5',
    'a=1%3B__session={ok}; __client_uat=5', '__session={ok}, __client_uat=5', '__client_uat=5; __client_uat=0; __session={ok}',
    '__client_uat=%35; __session={ok}', '__session=; __client_uat=', '__session={ok}; __client_uat=5; __session_{S}=; __client_uat_{S}=',
    '__session={ok}; __client_uat=5; __session_Aaaaaaaa={bad}; __client_uat_Aaaaaaaa=0', '__session=%E0%A4%A; __client_uat=5',
  ];
  for (const k of KINDS) for (const c of odd) for (const d of ['document', 'empty']) yield { k, d, C: k === 'test' ? `__clerk_db_jwt=dvb_1; ${c}` : c };
}

/** What addresses become, on the way out and on the way back. */
function* addresses() {
  const queries = [
    '', '?', '?a=1', '?a=1&a=2', '?a=b%20c', '?a=b+c', '?a=%C3%A9', '?a', '?=x', '?a=%2F%3D%26', '?__dev_session=x&a=1', '?a=1&__clerk_db_jwt=dvb_7',
    '?__clerk_db_jwt=', '?__clerk_db_jwt', '?__clerk_db_jwt=dvb_7&__clerk_db_jwt=dvb_8', '?%5F_clerk_db_jwt=dvb_7', '?__session={ok}', '?__clerk_help=1', '?a=b;c=d',
    '?__clerk_synced=true', '?__clerk_synced=false', '?redirect_url=https://evil.example',
  ];
  const bases = [PAGE, '/', 'http://127.0.0.1:3000/a/b/', 'https://app.example.com:8443/%7Euser/%2e%2e/x', 'https://app.example.com/caf%C3%A9'];
  const state = k => [undefined, cookies({ ...browser(k), u: SET }), signedIn(k), signedIn(k, '{exp}')];
  for (const k of KINDS) {
    for (const [index, base] of bases.entries()) {
      for (const query of queries) for (const c of index === 0 ? state(k) : state(k).slice(1, 2)) yield { k, u: base + query, c };
    }
  }
  for (const k of ['test-path', 'live-path', 'live-http']) {
    const kind = k.slice(0, 4);
    for (const u of [PAGE, 'http://127.0.0.1:3000/']) for (const c of state(kind)) yield { k, u, c };
    yield { k, c: cookies({ ...browser(kind), U: SET }) };
    yield { k, c: cookies({ D: 'dvb_1', U: SET, s: '{foreign}' }) };
  }
}

/** The guard against going round and round. */
function* loops() {
  for (const k of KINDS) {
    for (const l of ['0', '1', '2', '3', '4', '17', 'abc', '-1', '2.5', '', '0x2', '03', '%33', '99999999999']) {
      const c = cookies({ l });
      for (const state of [undefined, cookies({ ...browser(k), u: SET }), signedIn(k), signedIn(k, '{exp}')]) {
        yield { k, c: [state, c].filter(Boolean).join(';') };
      }
    }
  }
}

/** What comes back from Clerk, as a token or as a nonce, in the address or in a cookie. */
function* handshakes() {
  const odd = ['hs-bad', 'hs-template', 'hs-typ', 'hs-alg', 'hs-no-cat', 'hs-text', 'hs-empty', 'ok', 'word', 'padded'];
  const whats = k => [...Object.keys(DIRECTIVES).map(name => [`{${k}-${name}}`, name]), ...odd.map(name => [`{${name}}`, undefined])];
  const ways = [{}, { d: 'empty' }, { m: 'POST' }, { m: 'HEAD' }];
  for (const k of KINDS) {
    const states = [undefined, cookies(browser(k)), signedIn(k), signedIn(k, '{exp}'), cookies({ ...browser(k), u: '0' }), cookies({ ...browser(k), u: LATE, s: '{older}' })];
    // What the library would say without the handshake, for the rows where we decide as if it were not there.
    for (const c of states) for (const way of ways) for (const u of [undefined, `${PAGE}?a=b%20c`]) yield { k, u, c, ...way };
    for (const [token, n] of whats(k)) {
      for (const [index, c] of states.entries()) {
        for (const way of index === 1 || index === 2 ? ways : [{}]) {
          const joined = (name, value) => [c, cookies({ [name]: value })].filter(Boolean).join(';');
          yield { k, u: `${PAGE}?a=1&__clerk_handshake=${token}`, c, ...way };
          yield { k, c: joined('h', token), ...way };
          if (n && [1, 2, 5].includes(index) && way.m !== 'HEAD') {
            yield { k, u: `${PAGE}?a=1&__clerk_handshake_nonce=abc`, c, n, ...way };
            yield { k, c: joined('n', 'abc'), n, ...way };
          }
        }
      }
    }
    for (const c of states) {
      yield { k, u: `${PAGE}?__clerk_handshake_nonce=abc`, c, n: 'unknown' };
      yield { k, u: `${PAGE}?a=1&__clerk_handshake_nonce=abc&__clerk_handshake={${k}-ok}`, c, n: 'out' };
      yield { k, u: `${PAGE}?a=b%20c&__clerk_handshake={${k}-ok}&__clerk_help=1&__clerk_db_jwt=dvb_7`, c };
      yield { k, u: `${PAGE}?__clerk_handshake=&a=1`, c };
    }
    for (const t of [-20_000, 66_000, 90_000_000]) yield { k, t, c: cookies(browser(k)) };
    for (const t of [-20_000, 66_000, 90_000_000]) yield { k, t, u: `${PAGE}?a=1&__clerk_handshake={${k}-ok}`, c: cookies(browser(k)) };
  }
}

/** A session that has run out, and what renews it. */
function* refreshes() {
  const brought = [...Object.keys(DIRECTIVES), 'away', 'unexpected_error', 'invalid_refresh_token', 'session_not_found'];
  for (const k of KINDS) {
    for (const f of brought) {
      yield { k, f, c: cookies({ ...browser(k), u: SET, s: '{exp}', R: 'r1' }) };
      yield { k, f, c: cookies({ D: 'dvb_1', U: SET, S: '{exp}', R: 'r1' }), d: 'empty' };
    }
    for (const f of ['refreshed', 'away']) {
      for (const m of ['GET', 'POST', 'HEAD']) {
        for (const s of ['{exp}', '{exp-nosid}', '{ok}', '{bad}', '{nbf-late}']) yield { k, f, m, c: cookies({ ...browser(k), u: SET, s, R: 'r1' }) };
        yield { k, f, m, c: cookies({ ...browser(k), u: SET, s: '{exp}', r: 'r1' }) };
        yield { k, f, m, z: 'Bearer {exp}', c: cookies({ R: 'r1' }) };
        yield { k, f, m, z: 'Bearer {exp}' };
        for (const R of ['r1', undefined]) yield { k, f, m, z: 'Bearer {exp}', c: cookies({ ...browser(k), u: SET, s: '{ok}', R }) };
      }
    }
  }
}

/** Several domains, one instance. */
function* satellites() {
  const random = numbers(2);
  for (const k of Object.keys(CONFIGS).filter(name => name.includes('satellite'))) {
    const kind = CONFIGS[k].kind;
    const token = kind === 'live' ? '{satellite}' : '{ok}';
    const states = [{}, { u: '0' }, { u: SET }, { s: token }, { u: SET, s: token }, { u: SET, s: '{exp}' }, { U: SET, S: token }];
    const places = ['', '?__clerk_synced=true', '?__clerk_synced=false', '?__clerk_synced=x', '?a=1&__clerk_redirect_url=https://x.example'];
    for (const state of states) {
      for (const place of places) {
        const row = { k, u: `https://satellite.example/${place}`, c: cookies({ ...browser(kind), ...state }) };
        yield row;
        yield { ...row, ...[{ d: 'empty' }, { d: 'iframe' }, { d: '', x: 'text/html' }, { m: 'POST' }][random(4)] };
        if (random(2) === 0) yield { ...row, c: cookies(state) };
        if (random(3) === 0) yield { ...row, c: cookies({ ...browser(kind), ...state, l: ['2', '3'][random(2)] }) };
      }
    }
  }
  const targets = [
    'https://satellite.example/page', 'https://satellite.example/page?a=1%26__clerk_synced=false', 'https://app.satellite.example/', 'https://app.example.com/own',
    'https://evil.example/', 'https://satellite.example:8443/', 'http://satellite.example/', 'nonsense', '/relative', '//satellite.example/', 'javascript:alert(1)', '',
  ];
  for (const k of ['test', 'live', 'test-primary', 'live-primary']) {
    const kind = CONFIGS[k].kind;
    for (const target of targets) {
      for (const c of [undefined, signedIn(kind)]) {
        for (const d of c ? ['document', 'empty'] : ['document']) yield { k, d, c, u: `${PAGE}?__clerk_redirect_url=${target}` };
        yield { k, c, u: `${PAGE}?__clerk_redirect_url=${target}&__clerk_db_jwt=dvb_7` };
      }
    }
    for (const c of [undefined, cookies(browser(kind)), signedIn(kind)]) for (const query of ['', '?__clerk_db_jwt=dvb_7']) for (const d of ['document', 'empty']) yield { k, c, d, u: PAGE + query };
  }
}

/** Where a visitor came from. */
function* referers() {
  const froms = [
    'https://satellite.example/x', 'https://app.satellite.example/', 'https://search.example/?q=1', 'https://app.example.com/other', 'http://app.example.com/',
    'https://app.example.com:8443/', 'https://clerk.clerk.dev/v1', 'https://accounts.clerk.dev/sign-in', 'https://accounts.evil.example/', 'https://word-word-1.accounts.dev/',
    'https://accounts.word.word-1.lcl.dev/', 'nonsense', 'null', 'about:blank',
  ];
  for (const k of ['test', 'live', 'test-primary', 'live-primary']) {
    const kind = CONFIGS[k].kind;
    for (const r of froms) {
      for (const way of [{}, { d: 'iframe' }, { d: '', x: 'text/html' }, { d: 'empty' }, { m: 'POST' }]) yield { k, r, c: signedIn(kind), ...way };
      yield { k, r, c: signedIn(kind, '{exp}') };
      yield { k, r, z: 'Bearer {ok}' };
      for (const l of ['0', '1', '3', 'x']) yield { k, r, c: `${signedIn(kind)};${cookies({ l })}` };
    }
    yield { k, c: signedIn(kind) };
    for (const l of ['0', '1', '3', 'x']) yield { k, c: `${signedIn(kind)};${cookies({ l })}` };
  }
}

/** The organization that an address names. */
function* organizations() {
  const random = numbers(3);
  const paths = ['/page', '/orgs/acme', '/orgs/other', '/orgs/acme/', '/orgs/acme/x/y', '/orgs/other/x', '/orgs', '/orgs/', '/by-id/org_1', '/by-id/org_2', '/by-id/org_1/x', '/me', '/me/x', '/mex', '/ORGS/other', '/orgs/caf%C3%A9', '/orgs/a%2Fb'];
  for (const k of ['test-organizations', 'live-organizations']) {
    const kind = CONFIGS[k].kind;
    for (const path of paths) {
      for (const token of ['{ok}', '{org-v2}', '{org-v1}', '{org-v2-bare}', '{pending}', '{exp}', '{bad}']) {
        yield { k, u: path, c: signedIn(kind, token) };
        if (random(3) === 0) yield { k, u: path, c: signedIn(kind, token), d: 'empty' };
      }
      for (const l of ['1', '2', '3', '4']) yield { k, u: path, c: `${signedIn(kind)};${cookies({ l })}` };
      yield { k, u: path, z: 'Bearer {ok}' };
      yield { k, u: path, c: cookies({ ...browser(kind), u: SET }) };
    }
  }
}

/** All of them, each once. */
export function requests() {
  const found = new Map();
  for (const part of [choices, eligibility, times, tokens, headers, lines, addresses, loops, handshakes, refreshes, satellites, referers, organizations]) {
    for (const row of part()) {
      const given = Object.entries(row).filter(([name, value]) => value !== undefined && !(name === 'm' && value === 'GET') && !(name === 'k' && value === 'live') && !(name === 'd' && value === 'document') && !(name === 'c' && value === ''));
      const plain = Object.fromEntries(given.sort(([a], [b]) => (a < b ? -1 : 1)));
      found.set(JSON.stringify(plain), plain);
    }
  }
  return [...found.values()];
}
