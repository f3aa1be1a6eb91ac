// What the running `rollcall dev` keeps in its data folder: the port of its MongoDB, the secrets of its local Clerk.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export function mongodbUri(): string {
  return `mongodb://127.0.0.1:${read('mongod/port').trim()}/rollcall?directConnection=true`;
}

/** Every local Clerk has this one; it opens nothing else. */
export function secretKey(): string {
  return ['sk', 'test', 'rollcallLocalStandInKeyOpensNothingElse'].join('_');
}

export function webhookSecret(): string {
  return JSON.parse(read('clerk.json')).webhook_secret;
}

function read(file: string): string {
  const folder = process.env.E2E_DATA;
  if (!folder) throw new Error('E2E_DATA is set by playwright.config.ts');
  return readFileSync(join(folder, file), 'utf8');
}
