// JWT_*: the effect of each setting on the issuer.
import { describe, expect, it } from 'vitest';
import { readSettings } from '../../../src/config/read-settings.ts';
import { singleIssuerSettings } from '../../../src/config/settings.ts';

const required = {
  JWT_ISSUER: 'https://issuer.example',
  JWT_AUDIENCE: 'me',
  JWT_SECRET: 'a secret of forty characters for this test',
  DATABRAIN_API_KEY: '5d0b1d5e-77aa-4d0c-9a39-7f3c1f4f2f13',
};
const noFile = (): never => {
  throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
};
const issuerWith = (env: Record<string, string>) => readSettings({ ...required, ...env }, noFile).issuers[0];

describe('the issuer', () => {
  it('has the documented default limits', () => {
    expect(issuerWith({})).toMatchObject({
      iss: 'https://issuer.example',
      audience: ['me'],
      algorithms: ['HS256'],
      clockToleranceSeconds: 30,
      allowMissingIssuer: false,
      allowMissingAudience: false,
    });
    expect(issuerWith({})?.maxLifetimeSeconds).toBeUndefined();
  });

  it.each([
    ['JWT_AUDIENCE', 'me,you', { audience: ['me', 'you'] }],
    ['JWT_ALGORITHMS', 'HS256', { algorithms: ['HS256'] }],
    ['JWT_CLOCK_TOLERANCE_SECONDS', '0', { clockToleranceSeconds: 0 }],
    ['JWT_CLOCK_TOLERANCE_SECONDS', '120', { clockToleranceSeconds: 120 }],
    ['JWT_MAX_LIFETIME_SECONDS', '900', { maxLifetimeSeconds: 900 }],
    ['INSECURE_JWT_ALLOW_MISSING_ISSUER', 'true', { allowMissingIssuer: true }],
    ['INSECURE_JWT_ALLOW_MISSING_AUDIENCE', 'true', { allowMissingAudience: true }],
  ])('accepts %s=%s', (name, value, expected) => {
    expect(issuerWith({ [name]: value })).toMatchObject(expected);
  });

  it('inherits the shared settings in an issuers file', () => {
    const { JWT_ISSUER, JWT_AUDIENCE, JWT_SECRET, ...rest } = required;
    const text = `- { issuer: '${JWT_ISSUER}', audience: ${JWT_AUDIENCE}, secret: ${JWT_SECRET.replaceAll(' ', '-')} }`;
    const env = {
      ...rest,
      JWT_ISSUERS_FILE: 'issuers.yaml',
      JWT_MAX_LIFETIME_SECONDS: '900',
      JWT_CLOCK_TOLERANCE_SECONDS: '7',
    };
    const { issuers } = readSettings(env, () => Buffer.from(text));
    expect(issuers).toMatchObject([{ maxLifetimeSeconds: 900, clockToleranceSeconds: 7 }]);
  });
});

describe('the issuers file', () => {
  it('replaces exactly these settings; setting one of them as well is refused', () => {
    expect(singleIssuerSettings.map(({ name }) => name)).toEqual([
      'JWT_ISSUER',
      'JWT_AUDIENCE',
      'JWT_ALGORITHMS',
      'JWT_SECRET',
      'JWT_SECRET_ENCODING',
      'JWT_PUBLIC_KEY',
      'JWT_JWKS_URL',
      'JWT_USER_CLAIM',
    ]);
  });
});
