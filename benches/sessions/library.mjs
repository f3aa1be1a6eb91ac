// Clerk's own library, for `sessions.rs`: makes the tokens, and says how many it judges in a second of processor time.

import crypto from 'node:crypto';
import fs from 'node:fs';

import { createAuthenticateRequest } from '@clerk/backend/internal';
import { verifyToken } from '@clerk/backend';

const [what, ...rest] = process.argv.slice(2);

function tokens(count) {
  const { privateKey, publicKey } = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
  const encode = value => Buffer.from(JSON.stringify(value)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  const token = number => {
    const header = encode({ alg: 'RS256', cat: 'cl_B7d4PD111AAA', kid: 'ins_bench', typ: 'JWT' });
    const claims = encode({
      azp: 'https://app.example.com', exp: now + 500, fva: [4, -1], iat: now, iss: 'https://clerk.clerk.dev', jti: `${number}`, nbf: now - 10,
      o: { id: 'org_2abc', rol: 'admin', slg: 'acme' }, sid: `sess_${number}`, sts: 'active', sub: `user_${number}`, v: 2,
    });
    const signature = crypto.sign('sha256', Buffer.from(`${header}.${claims}`), privateKey).toString('base64url');
    return `${header}.${claims}.${signature}`;
  };
  const pem = publicKey.export({ type: 'spki', format: 'pem' });
  return { pem, now, tokens: Array.from({ length: count }, (_, number) => token(number)) };
}

async function measure(judge, all, seconds) {
  for (let number = 0; number < 500; number += 1) await judge(all[number % all.length]);
  const [end, before] = [performance.now() + seconds * 1000, process.cpuUsage()];
  let done = 0;
  while (performance.now() < end) {
    for (let number = 0; number < 50; number += 1) await judge(all[done++ % all.length]);
  }
  const used = process.cpuUsage(before);
  return (done / (used.user + used.system)) * 1e6;
}

if (what === 'tokens') {
  process.stdout.write(JSON.stringify(tokens(Number(rest[0]))));
} else {
  const { pem, now, tokens: all } = JSON.parse(fs.readFileSync(rest[0]));
  const options = { jwtKey: pem, authorizedParties: ['https://app.example.com'] };
  const { authenticateRequest } = createAuthenticateRequest({ options: {}, apiClient: {} });
  const judges = {
    verify: async token => {
      const claims = await verifyToken(token, options);
      if (!claims.sub) throw new Error('refused');
    },
    authenticate: async token => {
      const headers = { cookie: `__client_uat=${now}; __session=${token}`, 'sec-fetch-dest': 'document' };
      const state = await authenticateRequest(new Request('https://app.example.com/page?a=1', { headers }), {
        ...options, publishableKey: 'pk_live_Y2xlcmsuY2xlcmsuZGV2JA', secretKey: 'sk_live_x',
      });
      if (state.status !== 'signed-in') throw new Error(state.reason);
    },
  };
  process.stdout.write(`${await measure(judges[what], all, Number(rest[1]))}`);
}
