import { describe, expect, it } from 'vitest';
import { createKeyDerivation } from '../../../src/redis/key-derivation.ts';
import { Secret } from '../../../src/secrets/secret.ts';

describe('keys derived from an API key', () => {
  const apiKey = 'b1946ac9-2ee6-4ab1-9d5a-6f0a3f1c2d3e';

  it('are the same in every process, so that replicas can read each other’s entries', () => {
    const key = createKeyDerivation()(new Secret(apiKey), 'token encryption 1');
    expect(key).toEqual(createKeyDerivation()(new Secret(apiKey), 'token encryption 1'));
    expect(key.toString('hex')).toBe('5bb0a80ace577db3c2ef45e7c241648620dbc88e303c06fc660279aaaa5e3757');
  });

  it('differ by purpose and by API key, and do not contain it', () => {
    const derive = createKeyDerivation();
    const secret = new Secret(apiKey);
    const keys = [
      derive(secret, 'token encryption 1'),
      derive(secret, 'token index 1'),
      derive(secret, 'limit index 1'),
      derive(new Secret(`${apiKey}x`), 'token encryption 1'),
    ].map((key) => key.toString('hex'));
    expect(new Set(keys).size).toBe(4);
    expect(keys.every((key) => key.length === 64)).toBe(true);
  });
});
