import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { adviceByReason, adviceOn } from '../../../src/authn/refusal-advice.ts';
import { refuseToken } from '../../../src/authn/token-refusal.ts';
import { authnReasons, type AuthnReason } from '../../../src/refusal-reasons.ts';
import { sentenceOf } from '../../support/sentences/name-sentence.ts';

const keycloak = 'https://login.example/realms/acme';
const cognito = 'https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_abc';

describe('advice on a refused token', () => {
  it('equals the documentation of error codes, for each reason', () => {
    const folder = new URL('../../../docs/errors/', import.meta.url);
    const pages = readdirSync(folder)
      .map((name) => readFileSync(new URL(name, folder), 'utf8'))
      .join('\n');
    const rows = [...pages.matchAll(/^\| `(\w+)` \| (.*) \| (.*) \|$/gm)];
    for (const reason of Object.keys(authnReasons) as AuthnReason[]) {
      const texts = rows.filter(([, name]) => name === reason).map(([, , cause, fix]) => ({ cause, fix }));
      const fix = `${reason}: add a row to the page of its code in docs/errors, then run: npm run schema`;
      expect(texts.length, fix).toBeGreaterThan(0);
      expect(texts, fix).toEqual(texts.map(() => adviceByReason[reason]));
    }
  });

  it.each([
    ['audience_refused', 'aud', keycloak, new RegExp(`^${sentenceOf('audienceMapper')}`)],
    ['claim_missing', 'aud', keycloak, new RegExp(`^${sentenceOf('audienceMapper')}`)],
    ['claim_missing', 'sub', keycloak, /^Keycloak: .*`basic`/],
    ['token_malformed', undefined, 'https://acme.eu.auth0.com/', /^Auth0: .*audience/],
    ['signature_invalid', undefined, 'https://login.microsoftonline.com/t/v2.0', /^Microsoft Entra: .*Graph/],
    ['claim_missing', 'aud', cognito, /^Amazon Cognito: .*client_id/],
  ] as const)('names the most common cause: %s %s at %s', (reason, claim, iss, hint) => {
    const refusal = refuseToken(reason, claim && { claim });
    expect(adviceOn(refusal, ['https://other.example', iss])).toMatchObject({
      ...adviceByReason[reason],
      hint: expect.stringMatching(hint) as string,
    });
  });

  it('also uses the iss that was refused', () => {
    const refusal = refuseToken('issuer_refused', { claim: 'iss', received: 'https://sts.windows.net/t/' });
    expect(adviceOn(refusal, ['https://other.example']).hint).toMatch(/^Microsoft Entra/);
  });

  it('has no hint for an unknown provider or another claim', () => {
    expect(adviceOn(refuseToken('signature_invalid'), [keycloak])).toEqual(adviceByReason.signature_invalid);
    expect(adviceOn(refuseToken('audience_refused', { claim: 'aud' }), ['https://x.example'])).not.toHaveProperty(
      'hint',
    );
    expect(adviceOn(refuseToken('claim_missing', { claim: 'exp' }), [keycloak])).not.toHaveProperty('hint');
  });
});
