// Ports for servers that the suite starts.
import { execFileSync } from 'node:child_process';

/** One that nobody listens on: below those that the system gives to connections, of which one could be taken again before it is
 * used. */
export function freePort(): number {
  const ask = `
    (function attempt() {
      const port = 10_000 + Math.floor(22_000 * Math.random());
      const server = require('node:net').createServer().once('error', attempt);
      server.listen(port, '127.0.0.1', () => server.close(() => process.stdout.write(String(port))));
    })()`;
  return Number(execFileSync(process.execPath, ['-e', ask], { encoding: 'utf8' }));
}
