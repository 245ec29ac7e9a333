// A port for a server of the demo: the usual one, or, when somebody else has it, any other.
import { createServer } from 'node:net';

async function isFree(port: number, host: string): Promise<boolean> {
  const probe = createServer();
  return new Promise((resolve) => {
    probe.once('error', () => resolve(false));
    probe.listen(port, host, () => probe.close(() => resolve(true)));
  });
}

async function anyPort(host: string): Promise<number> {
  const probe = createServer();
  return new Promise((resolve, reject) => {
    probe.once('error', reject);
    probe.listen(0, host, () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

/** @param preferred 0: any free port */
export const freePort = async (preferred: number, host: string): Promise<number> =>
  preferred !== 0 && (await isFree(preferred, host)) ? preferred : anyPort(host);
