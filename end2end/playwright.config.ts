// The journeys a person makes, in a real Chromium, against `rollcall dev`: MongoDB, the local Clerk and the application,
// started here on free ports with a folder of their own. A spec called *.hydrate.spec.ts needs JavaScript; every other
// one runs with and without. What a session lives through is seen with a Clerk like a production instance as well, beside
// which everything is there a second time.
import { existsSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { defineConfig, devices } from '@playwright/test';
import { freePort } from './tests/support/ports';

const root = resolve(__dirname, '..');
const target = resolve(root, process.env.CARGO_TARGET_DIR ?? 'target');
const binary = resolve(root, process.env.ROLLCALL_BIN ?? join(target, 'debug/rollcall'));
const site = resolve(root, process.env.LEPTOS_SITE_ROOT ?? join(target, 'site'));

// Chosen once, by the process that runs the suite; its workers, which read this file too, inherit them.
const app = (process.env.E2E_APP ??= `http://localhost:${freePort()}`);
process.env.E2E_STANDIN ??= `http://localhost:${freePort()}`;
process.env.E2E_DATA ??= newFolder();
const production = (process.env.E2E_PRODUCTION_APP ??= `http://localhost:${freePort()}`);
process.env.E2E_PRODUCTION_STANDIN ??= `http://localhost:${freePort()}`;
const productionData = (process.env.E2E_PRODUCTION_DATA ??= newFolder());
// The suite's own MongoDB, never the one that the shell around it knows.
for (const name of ['MONGODB_URI', 'MONGODB_URL', 'DB_URL']) delete process.env[name];

/** Fields of the application's own, which people see of each other and of themselves: one that they write at Clerk. */
const FIELDS = `
[[fields]]
name = "motto"
from = "unsafe_metadata.text"
type = "text"
editable = true
`;
const settings = join(productionData, 'settings.toml');
const defaults = readFileSync(join(root, 'Leptos.toml'), 'utf8');
writeFileSync(settings, defaults.replace(/^(public-fields = \[.*)\]$/m, '$1, "motto"]') + FIELDS);

/** It leaves people behind whom no other spec wants to meet. */
const OF_ITS_OWN = 'hostile.hydrate.spec.ts';

const chromium = {
  ...devices['Desktop Chrome'],
  launchOptions: {
    executablePath: process.env.ROLLCALL_CHROMIUM || undefined,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      // No internet: a request to any other host fails, and with it the test that made it.
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1',
    ],
  },
};

export default defineConfig({
  testDir: 'tests',
  outputDir: '../test-results',
  forbidOnly: !!process.env.CI,
  retries: 0,
  workers: 2,
  timeout: 30_000,
  expect: { timeout: 10_000 },
  reporter: [['list'], ['json', { outputFile: process.env.E2E_REPORT ?? '../test-results/report.json' }]],
  // A trace takes a third of the time: `--trace on` for a test that fails.
  use: { baseURL: app, trace: 'off', locale: 'en-GB', timezoneId: 'UTC' },
  projects: [
    { name: 'sign-in', testMatch: '*.setup.ts', use: chromium },
    { name: 'javascript', testMatch: '*.spec.ts', testIgnore: OF_ITS_OWN, use: chromium, dependencies: ['sign-in'] },
    {
      name: 'production',
      testMatch: ['sessions.hydrate.spec.ts', 'renewal.hydrate.spec.ts', OF_ITS_OWN],
      use: { ...chromium, baseURL: production },
    },
    {
      name: 'no-javascript',
      testMatch: '*.spec.ts',
      testIgnore: '*.hydrate.spec.ts',
      use: { ...chromium, javaScriptEnabled: false },
      dependencies: ['sign-in'],
    },
  ],
  webServer: [server('rollcall', 'E2E', ''), server('production', 'E2E_PRODUCTION', `--production-clerk --config "${settings}"`)],
});

/** The application at the addresses that these variables name. */
function server(name: string, variables: string, options: string) {
  const [app = '', standin = '', data = ''] = ['APP', 'STANDIN', 'DATA'].map((of) => process.env[`${variables}_${of}`]);
  return {
    name,
    command: `"${binary}" dev --data-dir "${data}" --standin-addr 127.0.0.1:${new URL(standin).port} ${options}`,
    cwd: data,
    env: { LEPTOS_SITE_ADDR: `127.0.0.1:${new URL(app).port}`, LEPTOS_SITE_ROOT: site },
    url: `${app}/readyz`,
    reuseExistingServer: false,
    stdout: 'pipe' as const,
    timeout: 60_000,
    gracefulShutdown: { signal: 'SIGTERM' as const, timeout: 30_000 },
  };
}

/** In memory where there is enough of it, as for the other tests: each write waits for the journal. */
function newFolder(): string {
  const memory = '/dev/shm';
  const free = existsSync(memory) ? statfsSync(memory) : { bavail: 0, bsize: 0 };
  const isRoomy = free.bavail * free.bsize > 4 * 1024 ** 3;
  const folder = mkdtempSync(join(isRoomy ? memory : tmpdir(), 'rollcall-e2e-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
