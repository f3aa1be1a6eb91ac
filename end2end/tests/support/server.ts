// A `rollcall dev` of a test's own: its ports, its folder, its database in the suite's MongoDB or a MongoDB of its own; to be
// killed and started again.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect } from '@playwright/test';
import { mongodbUri } from './data';
import { freePort } from './ports';

const root = resolve(__dirname, '../../..');
const target = resolve(root, process.env.CARGO_TARGET_DIR ?? 'target');

export class OwnServer {
  readonly url = `http://localhost:${freePort()}`;
  readonly standin = `http://localhost:${freePort()}`;
  readonly mongodb: string;
  private readonly folder = mkdtempSync(join(tmpdir(), 'rollcall-own-'));
  private process?: ChildProcess;

  constructor(
    private readonly name: string,
    private readonly people: number,
    /** To be killed by itself. */
    private readonly hasOwnMongodb = false,
    /** What it is told beside what every one is. */
    private readonly variables: Record<string, string> = {},
    /** What its settings file has behind the defaults. */
    private readonly more = '',
  ) {
    this.mongodb = mongodbUri().replace('/rollcall?', `/${this.name}?`);
  }

  /** Starts it, or starts it again with what it knew, and waits until it answers. */
  async start(): Promise<void> {
    const binary = resolve(root, process.env.ROLLCALL_BIN ?? join(target, 'debug/rollcall'));
    const at = (url: string) => `127.0.0.1:${new URL(url).port}`;
    const config = join(this.folder, 'settings.toml');
    writeFileSync(config, readFileSync(join(root, 'Leptos.toml'), 'utf8') + this.more);
    const options = ['--config', config, '--data-dir', this.folder, '--standin-addr', at(this.standin)];
    const env = {
      ...process.env,
      ...(this.hasOwnMongodb ? {} : { MONGODB_URI: this.mongodb }),
      LEPTOS_SITE_ADDR: at(this.url),
      LEPTOS_SITE_ROOT: resolve(root, process.env.LEPTOS_SITE_ROOT ?? join(target, 'site')),
      // Each write-back would be an event of its own.
      ROLLCALL_METADATA: 'false',
      ROLLCALL_RECONCILE_HOURS: '0',
      ROLLCALL_CATCH_UP_MINUTES: '0',
      ...this.variables,
    };
    const people = ['--seed-users', String(this.people), '--unannounced'];
    this.process = spawn(binary, ['dev', ...options, ...people], { cwd: this.folder, env, stdio: 'ignore' });
    const ready = async () => (await fetch(`${this.url}/readyz`).catch(() => undefined))?.status;
    await expect.poll(ready, { timeout: 90_000 }).toBe(200);
  }

  /** Sets these levers of its Clerk; the others stay as they are. */
  async lever(levers: object): Promise<void> {
    const answer = await fetch(`${this.standin}/__standin/levers`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(levers),
    });
    expect(answer.ok).toBe(true);
  }

  /** Waits until its Clerk has written down that somebody is signed in, which a kill must not take from the browser: with very many
   * people that takes a while. */
  async signInIsKept(): Promise<void> {
    const kept = () => /"id":"sess_/.test(readFileSync(join(this.folder, 'clerk.json'), 'utf8'));
    await expect.poll(kept, { timeout: 60_000, intervals: [500] }).toBe(true);
  }

  /** SIGKILL: no chance to finish anything. */
  async kill(): Promise<void> {
    const ended = new Promise((resolve) => this.process?.once('exit', resolve));
    this.process?.kill('SIGKILL');
    await ended;
  }

  /** Its MongoDB is gone all at once. */
  killMongodb(): void {
    process.kill(Number(readFileSync(join(this.folder, 'mongod/db/mongod.lock'), 'utf8')), 'SIGKILL');
  }

  async remove(): Promise<void> {
    if (this.process && this.process.exitCode === null && this.process.signalCode === null) await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
