// The grant tag shows a browser only whether the rights of its token are the same as before.
import { describe, expect, it } from 'vitest';
import { toGrantTag } from '../../../src/guest-token/reusable-token.ts';
import { Secret } from '../../../src/secrets/secret.ts';
import { createApiKeys, createScriptedMint, grantOf, hour, principalOf, startIssue } from '../../support/issuing.ts';
import { createManualClock } from '../../support/manual-clock.ts';

const { request } = grantOf();
const apiKey = new Secret('k1');
const tagOf = (sub: string, grant = grantOf(), key = apiKey): string => toGrantTag(principalOf(sub), grant, key);

describe('the tag of a grant', () => {
  it('is short, and the same for the same request of the same user, whatever the lifetime', () => {
    expect(tagOf('alice')).toMatch(/^[\w-]{22}$/);
    expect(tagOf('alice', grantOf({ lifetimeMs: 2 * hour, notAfterMs: 5 }))).toBe(tagOf('alice'));
  });

  it.each([
    ['another user', tagOf('bob')],
    ['another issuer', toGrantTag(principalOf('alice', 'https://other.example.com'), grantOf(), apiKey)],
    ['other permissions', tagOf('alice', grantOf({ request: { ...request, clientId: 'globex' } }))],
    ['another API key, so that nobody can confirm a guess', tagOf('alice', grantOf(), new Secret('k2'))],
  ])('differs for %s', (_title, other) => {
    expect(other).not.toBe(tagOf('alice'));
  });

  it('is returned with every token, minted or reused', async () => {
    const clock = createManualClock();
    const { mint } = createScriptedMint(clock);
    const { issue } = startIssue({ mint, apiKeys: createApiKeys(), clock });
    const [first, second, other] = [
      await issue(grantOf(), principalOf('alice')),
      await issue(grantOf(), principalOf('alice')),
      await issue(grantOf(), principalOf('bob')),
    ];
    expect([first.reused, second.reused]).toEqual([false, true]);
    expect(second.grantTag).toBe(first.grantTag);
    expect(other.grantTag).not.toBe(first.grantTag);
  });
});
