import { describe, expect, it } from 'vitest';
import { createTokenOwners } from '../../../src/databrain/mint.ts';

const token = '3f2504e0-4f89-41d3-9a0c-0305e82c3301';

describe('The owner of a token', () => {
  it('is only its first user', () => {
    const owners = createTokenOwners(10);
    expect(owners.claim(token, 'ada')).toBe(true);
    expect(owners.claim(token, 'ada')).toBe(true);
    expect(owners.claim(token, 'bob')).toBe(false);
    expect(owners.claim(token, 'ada')).toBe(true);
  });

  it('does not depend on the spelling of the UUID', () => {
    const owners = createTokenOwners(10);
    owners.claim(token, 'ada');
    expect(owners.claim(token.toUpperCase(), 'bob')).toBe(false);
  });

  it('is remembered for a limited number of tokens, the newest ones', () => {
    const owners = createTokenOwners(2);
    owners.claim('a', 'ada');
    owners.claim('b', 'ada');
    owners.claim('b', 'bob');
    owners.claim('c', 'ada');
    expect(owners.claim('b', 'bob')).toBe(false);
    expect(owners.claim('c', 'bob')).toBe(false);
    expect(owners.claim('a', 'bob')).toBe(true);
  });
});
