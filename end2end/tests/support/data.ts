// What the running `rollcall dev` keeps in its data folder: the port of its MongoDB, the secrets of its local Clerk. There are
// two of them: the specs of the project "production" have their own.
import { createPrivateKey, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const PRODUCTION = 'production';

/** Where what the specs of a project talk to is. */
export function place(project = ''): { app: string; standin: string; data: string } {
  const of = project === PRODUCTION ? 'E2E_PRODUCTION' : 'E2E';
  const [app, standin, data] = ['APP', 'STANDIN', 'DATA'].map((name) => process.env[`${of}_${name}`]);
  if (!app || !standin || !data) throw new Error(`${of}_* is set by playwright.config.ts`);
  return { app, standin, data };
}

export function mongodbUri(project?: string): string {
  return `mongodb://127.0.0.1:${read('mongod/port', project).trim()}/rollcall?directConnection=true`;
}

/** Every local Clerk has this one; it opens nothing else. */
export function secretKey(): string {
  return ['sk', 'test', 'rollcallLocalStandInKeyOpensNothingElse'].join('_');
}

export function webhookSecret(project?: string): string {
  return JSON.parse(read('clerk.json', project)).webhook_secret;
}

/** The same session token as it would be had it been made so many seconds earlier. */
export function aged(token: string, seconds: number, project?: string): string {
  return remade(token, project, (claims) => {
    for (const at of ['iat', 'nbf', 'exp']) claims[at] -= seconds;
  });
}

/** The same session token as Clerk makes it for somebody who acts in the person's place. */
export function impersonated(token: string, by: string, project?: string): string {
  return remade(token, project, (claims) => {
    claims.act = { sub: by };
  });
}

/** The same session token as Clerk makes it while a step of signing in is left. */
export function pending(token: string): string {
  return remade(token, undefined, (claims) => {
    claims.sts = 'pending';
  });
}

/** The same session token with other claims, signed by the local Clerk's key. */
function remade(token: string, project: string | undefined, change: (claims: Record<string, any>) => void): string {
  const [header = '', payload = ''] = token.split('.');
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
  change(claims);
  const signed = `${header}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}`;
  const der = Buffer.from(JSON.parse(read('clerk.json', project)).signing_key, 'base64');
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  return `${signed}.${sign('RSA-SHA256', Buffer.from(signed), key).toString('base64url')}`;
}

function read(file: string, project?: string): string {
  return readFileSync(join(place(project).data, file), 'utf8');
}
