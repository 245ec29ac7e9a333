// A port for a server that must know it before it starts: the usual one, or, when somebody else has it, any other. From
// 32768 on the system gives ports to every connection and to every server that asks for any. One below stays free until
// the server takes it, and so does the one 10,000 above it, on which nodes of a Redis cluster talk to each other.
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
