import type { lookup, LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { describe, expect, it } from 'vitest';
import { createSharedLookup } from '../../../src/egress/shared-lookup.ts';

const addresses: LookupAddress[] = [
  { address: '192.0.2.1', family: 4 },
  { address: '2001:db8::1', family: 6 },
];

/** A look-up that answers when the test calls a function. */
function start() {
  const lookups: {
    readonly hostname: string;
    readonly answer: (error: Error | null, found?: LookupAddress[]) => void;
  }[] = [];
  let now = 1000;
  const slow = (
    hostname: string,
    _options: unknown,
    callback: (error: Error | null, found?: LookupAddress[]) => void,
  ) => {
    lookups.push({ hostname, answer: callback });
  };
  const shared = createSharedLookup(() => now, slow as unknown as typeof lookup);
  return { lookups, shared, advance: (ms: number) => (now += ms) };
}

const find = (shared: LookupFunction, options: Parameters<LookupFunction>[1] = { all: true }, hostname = 'a.test') =>
  new Promise<unknown>((resolve, reject) => {
    shared(hostname, options, (error, found, family) => {
      if (error === null) resolve(family === undefined ? found : [found, family]);
      else reject(error);
    });
  });

describe('The look-up that connections share', () => {
  it('is used by simultaneous connections, and by those shortly after', async () => {
    const { lookups, shared, advance } = start();
    const all = Array.from({ length: 128 }, () => find(shared));
    expect(lookups).toHaveLength(1);
    lookups[0]?.answer(null, addresses);
    expect(await Promise.all(all)).toEqual(Array(128).fill(addresses));
    advance(999);
    expect(await find(shared)).toEqual(addresses);
    expect(lookups).toHaveLength(1);
  });

  it('is repeated when the answer is one second old', async () => {
    const { lookups, shared, advance } = start();
    const first = find(shared);
    lookups[0]?.answer(null, addresses);
    await first;
    advance(1000);
    const second = find(shared);
    expect(lookups).toHaveLength(2);
    lookups[1]?.answer(null, [{ address: '192.0.2.2', family: 4 }]);
    expect(await second).toEqual([{ address: '192.0.2.2', family: 4 }]);
  });

  it('fails for all waiting connections, and is repeated by the next one', async () => {
    const { lookups, shared } = start();
    const all = [find(shared), find(shared)];
    lookups[0]?.answer(Object.assign(new Error('no such host'), { code: 'ENOTFOUND' }));
    for (const one of all) await expect(one).rejects.toMatchObject({ code: 'ENOTFOUND' });
    const next = find(shared);
    expect(lookups).toHaveLength(2);
    lookups[1]?.answer(null, addresses);
    expect(await next).toEqual(addresses);
  });

  it('returns one address if one is requested, and keeps hosts and families separate', async () => {
    const { lookups, shared } = start();
    const one = find(shared, {});
    const other = find(shared, {}, 'b.test');
    const six = find(shared, { family: 6 });
    expect(lookups.map(({ hostname }) => hostname)).toEqual(['a.test', 'b.test', 'a.test']);
    lookups[0]?.answer(null, addresses);
    lookups[1]?.answer(null, [{ address: '192.0.2.9', family: 4 }]);
    lookups[2]?.answer(null, [{ address: '2001:db8::1', family: 6 }]);
    expect(await one).toEqual(['192.0.2.1', 4]);
    expect(await other).toEqual(['192.0.2.9', 4]);
    expect(await six).toEqual(['2001:db8::1', 6]);
  });
});
