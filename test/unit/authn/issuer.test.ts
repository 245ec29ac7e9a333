import { generateKeyPairSync } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parseIssuer, type IssuerConfig, type RawIssuer } from '../../../src/authn/issuer.ts';
import { Secret } from '../../../src/secrets/secret.ts';
import { nameProblem } from '../../support/sentences/name-sentence.ts';

const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
const secret = {
  kind: 'secret',
  text: new Secret('a-secret-of-the-issuer-tests-that-is-long-enough-for-every-HS-algorithm'),
  encoding: 'text',
} as const;

const raw = (changes: Partial<RawIssuer> = {}): RawIssuer => ({
  location: {
    issuer: 'JWT_ISSUER',
    audience: 'JWT_AUDIENCE',
    algorithms: 'JWT_ALGORITHMS',
    key: 'JWT_SECRET',
    userClaim: 'JWT_USER_CLAIM',
  },
  issuer: 'https://issuer.example',
  audience: ['me'],
  key: secret,
  clockToleranceSeconds: 30,
  allowMissingIssuer: false,
  allowMissingAudience: false,
  allowHttp: false,
  userClaim: 'sub',
  ...changes,
});

function problemsOf(changes: Partial<RawIssuer>): readonly string[] {
  const parsed = parseIssuer(raw(changes));
  return 'problems' in parsed ? parsed.problems.map((problem) => nameProblem(problem)) : [];
}
function issuerOf(changes: Partial<RawIssuer>): IssuerConfig {
  const parsed = parseIssuer(raw(changes));
  if ('problems' in parsed) throw new Error(parsed.problems[0]?.problem);
  return parsed.issuer;
}

describe("an issuer's settings", () => {
  it('are kept as configured and frozen, and print no key', () => {
    const issuer = issuerOf({ maxLifetimeSeconds: 60, typ: 'at+jwt' });
    expect(issuer).toMatchObject({
      iss: 'https://issuer.example',
      audience: ['me'],
      algorithms: ['HS256'],
      clockToleranceSeconds: 30,
      maxLifetimeSeconds: 60,
      typ: 'at+jwt',
    });
    expect([issuer, issuer.audience, issuer.algorithms, issuer.keys].every(Object.isFrozen)).toBe(true);
    for (const printed of [JSON.stringify(issuer), inspect(issuer, { depth: 9, showHidden: true })]) {
      expect(printed).not.toContain('issuer-tests');
      expect(printed).not.toContain(secret.text.identity());
    }
  });

  it.each<readonly [string, Partial<RawIssuer>, readonly string[]]>([
    ['an HMAC secret', {}, ['HS256']],
    ['a public key', { key: { kind: 'publicKey', text: pem } }, ['RS256', 'ES256', 'ES384', 'ES512', 'EdDSA']],
    [
      'a key set address',
      { key: { kind: 'jwksUrl', url: 'https://a.example/jwks' } },
      ['RS256', 'ES256', 'ES384', 'ES512', 'EdDSA'],
    ],
    ['discovery', { key: { kind: 'discovery' } }, ['RS256', 'ES256', 'ES384', 'ES512', 'EdDSA']],
  ])('with %s get default algorithms of one kind', (_title, changes, algorithms) => {
    expect(issuerOf(changes).algorithms).toEqual(algorithms);
  });

  it('treat Ed25519 as EdDSA, and ignore a repeated algorithm', () => {
    const { algorithms } = issuerOf({
      key: { kind: 'discovery' },
      algorithms: ['Ed25519', 'EdDSA', 'PS512', 'PS512'],
    });
    expect(algorithms).toEqual(['EdDSA', 'PS512']);
  });

  it.each<readonly [string, Partial<RawIssuer>, string]>([
    ['alg none', { algorithms: ['none'] }, 'JWT_ALGORITHMS algorithmUnsupported'],
    ['alg none and others', { algorithms: ['HS256', 'none'] }, 'JWT_ALGORITHMS algorithmUnsupported'],
    ['alg in lower case', { algorithms: ['hs256'] }, 'JWT_ALGORITHMS algorithmUnsupported'],
    ['alg ES256K', { algorithms: ['ES256K'] }, 'JWT_ALGORITHMS algorithmUnsupported'],
    ['alg __proto__', { algorithms: ['__proto__'] }, 'JWT_ALGORITHMS algorithmUnsupported'],
    ['no algorithm', { algorithms: [] }, 'JWT_ALGORITHMS settingEmpty'],
    ['both kinds', { algorithms: ['HS256', 'RS256'] }, 'JWT_ALGORITHMS algorithmsMixed'],
    ['RS256 with a secret', { algorithms: ['RS256'] }, 'JWT_ALGORITHMS publicAlgorithmsForSecret'],
    [
      'HS256 with a public key',
      { algorithms: ['HS256'], key: { kind: 'publicKey', text: pem } },
      'JWT_ALGORITHMS hmacForPublicKey',
    ],
    [
      'HS256 with a key set address',
      { algorithms: ['HS256'], key: { kind: 'jwksUrl', url: 'https://a.example' } },
      'JWT_ALGORITHMS hmacForPublicKey',
    ],
    [
      'a short secret',
      { key: { kind: 'secret', text: new Secret('short'), encoding: 'text' } },
      'JWT_SECRET secretTooShort(32, HS256)',
    ],
    ['a PEM as secret', { key: { kind: 'secret', text: new Secret(pem), encoding: 'text' } }, 'JWT_SECRET keyOfPair'],
    ['text that is not PEM', { key: { kind: 'publicKey', text: 'x' } }, 'JWT_SECRET notKeyText'],
    ['an empty issuer', { issuer: ' ' }, 'JWT_ISSUER settingEmpty'],
    ['no audience', { audience: [] }, 'JWT_AUDIENCE settingEmpty'],
    ['an empty audience', { audience: ['me', ''] }, 'JWT_AUDIENCE settingEmpty'],
    ['http to another machine', { key: { kind: 'jwksUrl', url: 'http://keys.example/' } }, 'JWT_SECRET notHttps'],
    ['a relative address', { key: { kind: 'jwksUrl', url: 'keys' } }, 'JWT_SECRET notHttps'],
    ['a password in the address', { key: { kind: 'jwksUrl', url: 'https://u:p@keys.example' } }, 'JWT_SECRET notHttps'],
    ['discovery from a name', { key: { kind: 'discovery' }, issuer: 'my-issuer' }, 'JWT_ISSUER noKeySource'],
    ['discovery over http', { key: { kind: 'discovery' }, issuer: 'http://issuer.example' }, 'JWT_ISSUER noKeySource'],
    [
      'discovery with a query',
      { key: { kind: 'discovery' }, issuer: 'https://issuer.example/?a=b' },
      'JWT_ISSUER noKeySource',
    ],
  ])('with %s are refused', (_title, changes, problem) => {
    expect(problemsOf(changes)).toEqual([problem]);
  });

  it('name a fix for each kind of key', () => {
    const fixOf = (changes: Partial<RawIssuer>): string => {
      const parsed = parseIssuer(raw(changes));
      return 'problems' in parsed ? (parsed.problems[0]?.fix ?? '') : '';
    };
    expect(fixOf({ key: { kind: 'secret', text: new Secret('short'), encoding: 'text' } })).toContain('openssl rand');
    expect(fixOf({ key: { kind: 'publicKey', text: 'x' } })).toContain('PEM');
  });

  it('allow http for keys if the setting for it is true', () => {
    const jwks = { kind: 'jwksUrl', url: 'http://keys.internal/jwks' } as const;
    expect(issuerOf({ key: jwks, allowHttp: true }).keys).toEqual(jwks);
    const discovery = issuerOf({
      issuer: 'http://keycloak:8080/realms/a',
      key: { kind: 'discovery' },
      allowHttp: true,
    });
    expect(discovery.keys).toEqual({
      kind: 'discovery',
      url: 'http://keycloak:8080/realms/a/.well-known/openid-configuration',
    });
    expect(problemsOf({ key: { kind: 'jwksUrl', url: 'ftp://keys.internal' }, allowHttp: true })).toHaveLength(1);
    expect(problemsOf({ key: { kind: 'jwksUrl', url: 'http://u:p@keys.internal' }, allowHttp: true })).toHaveLength(1);
  });

  it('need a claim that names the user', () => {
    expect(issuerOf({ userClaim: 'uid' }).userClaim).toBe('uid');
    expect(problemsOf({ userClaim: ' ' })).toEqual(['JWT_USER_CLAIM settingEmpty']);
  });

  it('report all problems at once', () => {
    expect(problemsOf({ issuer: '', audience: [], algorithms: ['none'] })).toHaveLength(3);
  });

  it.each([
    ['https://issuer.example', 'https://issuer.example/.well-known/openid-configuration'],
    ['https://issuer.example/', 'https://issuer.example/.well-known/openid-configuration'],
    ['https://issuer.example/realms/a', 'https://issuer.example/realms/a/.well-known/openid-configuration'],
    ['https://issuer.example/realms/a/', 'https://issuer.example/realms/a/.well-known/openid-configuration'],
    ['http://localhost:8080', 'http://localhost:8080/.well-known/openid-configuration'],
    ['http://127.0.0.1:1/x', 'http://127.0.0.1:1/x/.well-known/openid-configuration'],
    ['http://[::1]:1', 'http://[::1]:1/.well-known/openid-configuration'],
  ])('give %s the metadata address %s', (iss, url) => {
    expect(issuerOf({ issuer: iss, key: { kind: 'discovery' } }).keys).toEqual({ kind: 'discovery', url });
  });

  it.each([
    'http://127.0.0.1.evil.example',
    'http://localhost.evil.example',
    'http://127.1.evil',
    'http://0.0.0.0',
    'ftp://127.0.0.1',
    'https://a.example/#x',
    'https://user@a.example/',
    'https://:password@a.example/',
    'javascript:1',
  ])('refuse keys from %s', (url) => {
    expect(problemsOf({ key: { kind: 'jwksUrl', url } })).toEqual(['JWT_SECRET notHttps']);
  });
});
