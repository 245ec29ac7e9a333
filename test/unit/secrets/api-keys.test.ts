// A key that changes in its store or file while the service runs is checked as at the start.
import { afterEach, describe, expect, it } from 'vitest';
import { createApiKeys, type ApiKeys } from '../../../src/secrets/api-keys.ts';
import type { SecretOutcome } from '../../../src/secrets/watched-secret.ts';
import { Secret } from '../../../src/secrets/secret.ts';

const first = '5d0b1d5e-77aa-4d0c-9a39-7f3c1f4f2f13';
let keys: ApiKeys;
afterEach(() => keys.close());

describe('a key that changed in its store', () => {
  const outcomes: SecretOutcome[] = [];

  function storeWith(next: string): ApiKeys {
    outcomes.length = 0;
    const read = () => Promise.resolve({ kind: 'read' as const, value: new Secret(next) });
    keys = createApiKeys({
      settings: [
        { name: 'DATABRAIN_API_KEY', value: new Secret(first), stored: { store: 'Vault', reference: 'a#b', read } },
      ],
      polling: {
        readFile: () => Promise.reject(new Error('no file is read')),
        fileIntervalMs: 60_000,
        storeIntervalMs: 60_000,
        random: () => 0.5,
        dependsOn: () => '',
        onReload: (_name, outcome) => outcomes.push(outcome),
      },
      accept: () => undefined,
    });
    return keys;
  }

  it('is used', async () => {
    const next = '0f0e7d2b-9c3a-4c6f-8a8a-3f5a9d1b7c21';
    expect(await storeWith(next).reload('DATABRAIN_API_KEY')).toBe(true);
    expect(keys.get('DATABRAIN_API_KEY')?.reveal()).toBe(next);
  });

  it.each([
    ['in quotes', `"${first}"`],
    ['with a space at its end', `${first} `],
    ['too short to be a key', 'abc'],
    ['a placeholder', 'your-databrain-api-key'],
    ['with two lines', `${first}\n${first}`],
  ])('is refused %s, and the old one is kept', async (_title, next) => {
    expect(await storeWith(next).reload('DATABRAIN_API_KEY')).toBe(false);
    expect(keys.get('DATABRAIN_API_KEY')?.reveal()).toBe(first);
    expect(outcomes.map(({ kind }) => kind)).toEqual(['failed']);
    expect(JSON.stringify(outcomes)).not.toContain(first);
  });
});
