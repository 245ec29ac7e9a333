import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createRenewKey } from '../../../src/secrets/api-keys.ts';
import { Secret } from '../../../src/secrets/secret.ts';

/** Keys of two settings whose sources hold the second generation. */
function keys(readMs: number) {
  const inUse = new Map([
    ['A', new Secret('a-1')],
    ['B', new Secret('b-1')],
  ]);
  const read: string[] = [];
  return {
    read,
    get: (name: string) => inUse.get(name),
    reload: async (name: string) => {
      read.push(name);
      await sleep(readMs);
      inUse.set(name, new Secret(`${name.toLowerCase()}-2`));
      return true;
    },
  };
}

describe('Renewing a refused key', () => {
  it('reads only the source of that setting', async () => {
    const source = keys(1);
    expect(await createRenewKey(source)('A', new Secret('a-1'), 1000)).toBe(true);
    expect(source.read).toEqual(['A']);
  });

  it('reads it once for all callers that wait, and again for later ones', async () => {
    const source = keys(20);
    const renew = createRenewKey(source);
    const refused = new Secret('a-1');
    expect(
      await Promise.all([renew('A', refused, 1000), renew('A', refused, 1000), renew('B', new Secret('b-1'), 1000)]),
    ).toEqual([true, true, true]);
    expect(source.read).toEqual(['A', 'B']);
    expect(await renew('A', new Secret('a-2'), 1000)).toBe(false);
    expect(source.read).toEqual(['A', 'B', 'A']);
  });

  it('does not read if another key is already in use', async () => {
    const source = keys(1);
    expect(await createRenewKey(source)('A', new Secret('a-0'), 1000)).toBe(true);
    expect(source.read).toEqual([]);
  });

  it('stops at its deadline', async () => {
    const source = keys(300);
    const begin = performance.now();
    expect(await createRenewKey(source)('A', new Secret('a-1'), 30)).toBe(false);
    expect(performance.now() - begin).toBeLessThan(250);
  });

  it('returns false if the setting no longer has a key', async () => {
    const renew = createRenewKey({ get: () => undefined, reload: () => Promise.resolve(false) });
    expect(await renew('A', new Secret('a-1'), 100)).toBe(false);
  });
});
