// Finds a free port for a server that must know it before it starts: the usual one, or another one if it is in use. The
// system assigns ports from 32768 on to connections and servers at any time, so the other port is below that, and so is
// the one 10,000 above it, on which nodes of a Redis cluster talk to each other.
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

async function isFree(port: number, host: string): Promise<boolean> {
  const probe = createServer();
  return new Promise((resolve) => {
    probe.once('error', () => resolve(false));
    probe.listen(port, host, () => probe.close(() => resolve(true)));
  });
}

async function anyPort(host: string): Promise<number> {
  for (;;) {
    const port = randomInt(11_000, 22_768);
    if (await isFree(port, host)) return port;
  }
}

/** @param preferred 0: any free port */
export const freePort = async (preferred = 0, host = '127.0.0.1'): Promise<number> =>
  preferred !== 0 && (await isFree(preferred, host)) ? preferred : anyPort(host);
