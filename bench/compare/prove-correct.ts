// Checks each server before it is measured: it must return the UUID of the right user, and refuse a bad signature, an
// expired token and a token for another audience.
import type { Circumstances, Contestant } from './contestants.ts';
import type { Load } from './load.ts';
import { signTokens } from './signing-keys.ts';

const hourAgo = (): number => Math.floor(Date.now() / 1000) - 3_600;

export async function proveCorrect(
  contestant: Contestant,
  shared: Omit<Circumstances, 'algorithm' | 'reuse'>,
  load: Load,
): Promise<void> {
  for (const algorithm of ['RS256', 'HS256'] as const) {
    const running = await contestant.start({ ...shared, algorithm, reuse: false });
    const fail = (what: string): never => {
      throw new Error(`${contestant.name}, ${algorithm}: ${what}`);
    };
    try {
      const good = signTokens(shared.keys, algorithm, 8);
      const order = good.map((_, index) => index);
      const expectStatus = async (tokens: readonly string[], status: string, what: string): Promise<void> => {
        const provesUser = status === '200' && contestant.refusesNobody !== true;
        const result = await load.run({ port: running.port, tokens, order, connections: 2, provesUser });
        if (result.statuses[status] !== tokens.length) fail(`${what}: ${JSON.stringify(result.statuses)}`);
        if (result.wrong > 0) fail(`${what}: ${result.wrong} answers for another user`);
      };
      await expectStatus(good, '200', 'good tokens');
      if (contestant.refusesNobody === true) continue;
      const forged = good.map((token, index) => {
        const other = good[(index + 1) % good.length] ?? '';
        return token.slice(0, token.lastIndexOf('.')) + other.slice(other.lastIndexOf('.'));
      });
      await expectStatus(forged, '401', 'bad signatures');
      const expired = { iat: hourAgo() - 60, exp: hourAgo() };
      await expectStatus(signTokens(shared.keys, algorithm, 8, expired), '401', 'expired tokens');
      await expectStatus(signTokens(shared.keys, algorithm, 8, { aud: 'other' }), '401', 'tokens for another audience');
    } finally {
      await running.stop();
    }
  }
}
