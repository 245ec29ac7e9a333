import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { loadIssuersFile, type IssuersFileOptions } from '../../../src/authn/issuers-file.ts';
import { nameProblem } from '../../support/sentences/name-sentence.ts';

const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
const secret = 'a-secret-of-the-issuers-file-tests-of-40';

const options: IssuersFileOptions = {
  clockToleranceSeconds: 30,
  allowMissingIssuer: false,
  allowMissingAudience: false,
  allowHttp: false,
  readFile: (path) => {
    if (path === '/etc/proxy/key.pem') return Buffer.from(pem);
    if (path === '/run/secrets/jwt') return Buffer.from(`${secret}\n`);
    if (path === '/run/secrets/empty') return Buffer.from('\n');
    throw Object.assign(new Error('no'), { code: 'ENOENT' });
  },
};
const load = (text: string, changes: Partial<IssuersFileOptions> = {}) =>
  loadIssuersFile(text, '/etc/proxy/issuers.yaml', { ...options, ...changes });
function problemsOf(text: string, changes: Partial<IssuersFileOptions> = {}): readonly string[] {
  const loaded = load(text, changes);
  return 'problems' in loaded ? loaded.problems.map((problem) => nameProblem(problem)) : [];
}
function loaded(text: string, changes: Partial<IssuersFileOptions> = {}) {
  const result = load(text, changes);
  if ('problems' in result) throw new Error(JSON.stringify(result.problems));
  return result;
}

const one = `- issuer: https://one.example\n  audience: me\n`;

describe('JWT_ISSUERS_FILE', () => {
  it('binds audiences, algorithms, keys and times to each issuer', () => {
    const { issuers, keyFiles } = loaded(
      `
- issuer: https://one.example
  audience: me
  secretFile: /run/secrets/jwt
  clockToleranceSeconds: 5
- issuer: https://two.example
  audience: [you, us]
  algorithms: [ES256]
  publicKeyFile: key.pem
  maxLifetimeSeconds: 600
  typ: at+jwt
- issuer: https://three.example
  audience: me
  jwksUrl: https://keys.example/jwks
- issuer: https://four.example
  audience: me
`,
      { maxLifetimeSeconds: 3600 },
    );
    expect(issuers).toMatchObject([
      {
        iss: 'https://one.example',
        audience: ['me'],
        algorithms: ['HS256'],
        clockToleranceSeconds: 5,
        maxLifetimeSeconds: 3600,
      },
      {
        iss: 'https://two.example',
        audience: ['you', 'us'],
        algorithms: ['ES256'],
        maxLifetimeSeconds: 600,
        typ: 'at+jwt',
        clockToleranceSeconds: 30,
      },
      { keys: { kind: 'jwksUrl', url: 'https://keys.example/jwks' } },
      { keys: { kind: 'discovery', url: 'https://four.example/.well-known/openid-configuration' } },
    ]);
    expect(issuers[0]?.typ).toBeUndefined();
    expect(keyFiles.map(({ iss, setting }) => [iss, setting.file?.path, setting.value.reveal().trim()])).toEqual([
      ['https://one.example', '/run/secrets/jwt', secret],
      ['https://two.example', '/etc/proxy/key.pem', pem.trim()],
    ]);
  });

  it('accepts inline secrets and keys, and ignores the newline at the end of a block', () => {
    const block = pem
      .trim()
      .split('\n')
      .map((line) => `    ${line}`)
      .join('\n');
    const { issuers } = loaded(`${one}  secret: ${secret}\n- issuer: two\n  audience: me\n  publicKey: |\n${block}\n`);
    expect(issuers.map(({ keys }) => keys.kind)).toEqual(['secret', 'publicKey']);
    expect(loaded(`${one}  secret: |\n    ${secret}\n    ${secret.toUpperCase()}\n`).issuers).toHaveLength(1);
  });

  const at = '/etc/proxy/issuers.yaml';
  /** Only the position: other tests check the problems of YAML, addresses and secrets. */
  const startingWith = (position: string): string => expect.stringMatching(RegExp(`^${position}\\S`)) as string;
  it.each<readonly [string, string, readonly string[]]>([
    ['an empty file', '', [`${at} notIssuers`]],
    ['an empty list', '[]', [`${at} notIssuers`]],
    ['a map', 'issuer: x', [`${at} notIssuers`]],
    ['a list of strings', '- https://one.example', [`${at}:1:3 notIssuer`]],
    ['an unknown key', `${one}  audiences: x\n`, [`${at}:3:3 notIssuerMember`]],
    ['no issuer', '- audience: me\n', [`${at}:1:3 issuerMemberMissing(issuer)`]],
    ['no audience', '- issuer: https://one.example\n', [`${at}:1:3 issuerMemberMissing(audience)`]],
    ['an empty audience', '- issuer: https://one.example\n  audience: []\n', [`${at}:2:13 settingEmpty`]],
    ['a number as issuer', '- issuer: 1\n  audience: me\n', [`${at}:1:11 memberNotText(issuer)`]],
    ['a blank issuer', '- issuer: " "\n  audience: me\n', [`${at}:1:11 memberNotText(issuer)`]],
    ['a number as audience', '- issuer: https://one.example\n  audience: 1\n', [`${at}:2:13 notTextOrList(audience)`]],
    [
      'a map as audience',
      '- issuer: https://one.example\n  audience: { a: b }\n',
      [`${at}:2:13 notTextOrList(audience)`],
    ],
    ['alg none', `${one}  algorithms: [none]\n`, [`${at}:3:15 algorithmUnsupported`]],
    [
      'two key sources',
      `${one}  secret: ${secret}\n  jwksUrl: https://a.example\n`,
      [`${at}:4:12 besideOther(jwksUrl, secret)`],
    ],
    ['a short secret', `${one}  secret: short\n`, [startingWith(`${at}:3:11 `)]],
    [
      'a secret that is a number',
      `${one}  secret: 12345678901234567890123456789012\n`,
      [`${at}:3:11 a number would be read as a different number`],
    ],
    ['an issuer without a usable metadata address', '- issuer: urn:x\n  audience: me\n', [startingWith(`${at}:1:11 `)]],
    ['an http address', `${one}  jwksUrl: http://a.example\n`, [startingWith(`${at}:3:12 `)]],
    ['a missing key file', `${one}  secretFile: nowhere\n`, [`${at}:3:15 fileUnreadable(secretFile, ENOENT)`]],
    [
      'an empty key file',
      `${one}  secretFile: /run/secrets/empty\n`,
      [`${at}:3:15 fileUnusable(secretFile, settingEmpty)`],
    ],
    ['a tolerance too large', `${one}  clockToleranceSeconds: 121\n`, [`${at}:3:26 outOfRange(clockToleranceSeconds)`]],
    ['a negative tolerance', `${one}  clockToleranceSeconds: -1\n`, [`${at}:3:26 outOfRange(clockToleranceSeconds)`]],
    [
      'a fractional tolerance',
      `${one}  clockToleranceSeconds: 1.5\n`,
      [`${at}:3:26 outOfRange(clockToleranceSeconds)`],
    ],
    ['a tolerance as text', `${one}  clockToleranceSeconds: "5"\n`, [`${at}:3:26 outOfRange(clockToleranceSeconds)`]],
    ['a lifetime over a year', `${one}  maxLifetimeSeconds: 31536001\n`, [`${at}:3:23 outOfRange(maxLifetimeSeconds)`]],
    ['a lifetime of zero', `${one}  maxLifetimeSeconds: 0\n`, [`${at}:3:23 outOfRange(maxLifetimeSeconds)`]],
    ['a repeated issuer', `${one}${one}`, [`${at}:3:11 issuerRepeated(issuer)`]],
    ['a repeated key', `${one}  audience: you\n`, [startingWith(`${at}:3:3 `)]],
    [
      'an alias',
      `- issuer: &a https://one.example\n  audience: *a\n`,
      [startingWith(`${at}:1:14 `), startingWith(`${at}:2:13 `)],
    ],
    ['a tag', `- issuer: !!str https://one.example\n  audience: me\n`, [startingWith(`${at}:1:17 `)]],
    ['broken YAML', '- issuer: "x\n', [startingWith(`${at}:2:1 `)]],
    ['more than 256 KiB', `#${'x'.repeat(262_144)}`, [startingWith(`${at} `)]],
  ])('with %s is refused with file, line and column', (_title, text, problems) => {
    expect(problemsOf(text)).toEqual(problems);
  });

  it.each([0, 120])('accepts a tolerance of %i seconds', (seconds) => {
    const { issuers } = loaded(`${one}  secret: ${secret}\n  clockToleranceSeconds: ${seconds}\n`);
    expect(issuers[0]?.clockToleranceSeconds).toBe(seconds);
  });

  it('suggests a similar key for an unknown key', () => {
    const fixOf = (key: string): string => {
      const result = load(`${one}  ${key}: x\n`);
      return 'problems' in result ? (result.problems[0]?.fix ?? '') : '';
    };
    expect(fixOf('audiense')).toBe('Did you mean audience');
    expect(fixOf('something')).toMatch(/^Use issuer, audience, /);
    expect(problemsOf(`${one}  1: x\n`)).toEqual([startingWith(`${at}:3:3 `)]);
  });

  it('refuses the name of a key file that is not a string', () => {
    expect(problemsOf(`${one}  secretFile: [a]\n`)).toEqual([`${at}:3:15 memberNotText(secretFile)`]);
  });

  it('reports all problems of all issuers at once, without secrets', () => {
    const problems = problemsOf(
      `- issuer: a\n  secret: hunter2\n- audience: b\n  secret: hunter2\n  sekret: hunter2\n`,
    );
    expect(problems.length).toBeGreaterThanOrEqual(3);
    expect(problems.join('\n')).not.toContain('hunter2');
    expect(JSON.stringify(load('- secret: "hunter2\n'))).not.toContain('hunter2');
  });

  it('binds the user claim, the encoding of the secret and a missing audience to each issuer', () => {
    const encoded = Buffer.from(secret).toString('base64');
    const { issuers } = loaded(`
- { issuer: one, audience: me, secret: ${encoded}, secretEncoding: base64, userClaim: uid }
- { issuer: two, audience: me, secret: ${secret.toUpperCase()}, allowMissingAudience: true }
`);
    expect(issuers).toMatchObject([
      { userClaim: 'uid', allowMissingAudience: false, keys: { kind: 'secret', encoding: 'base64' } },
      { userClaim: 'sub', allowMissingAudience: true, keys: { kind: 'secret', encoding: 'text' } },
    ]);
    const [first] = issuers;
    const key = first !== undefined && 'configured' in first.keys ? first.keys.configured[0] : undefined;
    expect(key?.material.export().toString()).toBe(secret);
    expect(
      loaded(`${one}  secret: ${secret}\n  allowMissingAudience: false\n`, { allowMissingAudience: true }).issuers,
    ).toMatchObject([{ allowMissingAudience: false }]);
  });

  it.each([
    ['secretEncoding: base32', 'encodingUnknown(secretEncoding)'],
    ['secretEncoding: 1', 'memberNotText(secretEncoding)'],
    ['userClaim: ""', 'memberNotText(userClaim)'],
    ['userClaim: [sub]', 'memberNotText(userClaim)'],
    ['allowMissingAudience: yes', 'memberNotBoolean(allowMissingAudience)'],
  ])('refuses %s', (line, problem) => {
    const problems = problemsOf(`${one}  secret: ${secret}\n  ${line}\n`);
    expect(problems).toEqual([expect.stringContaining(problem)]);
    expect(problems.join()).not.toContain(secret);
  });

  it('refuses an encoding for a key that is not a secret', () => {
    expect(problemsOf(`${one}  jwksUrl: https://keys.example/\n  secretEncoding: hex\n`)).toEqual([
      `${at}:4:19 encodingOfNoSecret(secretEncoding)`,
    ]);
  });

  it('accepts lifetimes from one second to one year', () => {
    for (const seconds of [1, 31_536_000]) {
      const [issuer] = loaded(`${one}  secret: ${secret}\n  maxLifetimeSeconds: ${seconds}\n`).issuers;
      expect(issuer?.maxLifetimeSeconds).toBe(seconds);
    }
  });

  it('refuses one HMAC secret for two issuers, because each could sign for the other', () => {
    const other = `- issuer: two\n  audience: me\n  secret: |\n    ${secret.toUpperCase()}\n    ${secret}\n`;
    expect(problemsOf(`${other}${one}  secret: ${secret}\n`)).toEqual([`${at}:8:11 secretRepeated`]);
    const problems = problemsOf(`${one}  secret: ${secret}\n${other}`);
    expect(problems).toEqual([`${at}:6:11 secretRepeated`]);
    expect(problems.join()).not.toContain(secret);
  });

  it('allows tokens without an issuer only if there is one issuer', () => {
    const key = `  secret: ${secret}\n`;
    expect(loaded(one + key, { allowMissingIssuer: true }).issuers[0]?.allowMissingIssuer).toBe(true);
    const two = `${one}${key}- issuer: two\n  audience: me\n  secret: ${secret.toUpperCase()}\n`;
    expect(problemsOf(two, { allowMissingIssuer: true })).toEqual([
      'INSECURE_JWT_ALLOW_MISSING_ISSUER missingIssuerForSeveral',
    ]);
  });
});
