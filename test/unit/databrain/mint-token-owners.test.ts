import { describe, expect, it } from 'vitest';
import { createTokenOwners } from '../../../src/databrain/mint.ts';

const token = '3f2504e0-4f89-41d3-9a0c-0305e82c3301';

describe('The owner of a token', () => {
  it('is only its first user', () => {
    const owners = createTokenOwners(10);
    expect(owners.assign(token, 'ada')).toBe(true);
    expect(owners.assign(token, 'ada')).toBe(true);
    expect(owners.assign(token, 'bob')).toBe(false);
    expect(owners.assign(token, 'ada')).toBe(true);
  });

  it('does not depend on the spelling of the UUID', () => {
    const owners = createTokenOwners(10);
    owners.assign(token, 'ada');
    expect(owners.assign(token.toUpperCase(), 'bob')).toBe(false);
  });

  it('is remembered for a limited number of tokens, the newest ones', () => {
    const owners = createTokenOwners(2);
    owners.assign('a', 'ada');
    owners.assign('b', 'ada');
    owners.assign('b', 'bob');
    owners.assign('c', 'ada');
    expect(owners.assign('b', 'bob')).toBe(false);
    expect(owners.assign('c', 'bob')).toBe(false);
    expect(owners.assign('a', 'bob')).toBe(true);
  });
});
