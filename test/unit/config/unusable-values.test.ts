import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { readSettings } from '../../../src/config/read-settings.ts';
import { noStoredSecrets } from '../../../src/config/read-stored-secrets.ts';
import { unusableValues } from '../../../src/config/refused-variables.ts';
import { ConfigurationError, type Problem } from '../../../src/problem.ts';
import { Secret } from '../../../src/secrets/secret.ts';

describe('the checked variables', () => {
  it('are the settings, the API keys and the names of secret files, and no problem repeats a value', () => {
    const quoted = '"0f0e7d2b-9c3a"';
    const problems = unusableValues({
      JWT_ISSUER: quoted,
      DATABRAIN_API_KEY_SALES: quoted,
      DATABRAIN_API_KEY_SALES_FILE: quoted,
      JWT_SECRET_FILE: quoted,
      OTHER_PROGRAM: quoted,
      JWT_AUDIENCE: '',
    });
    expect(problems.map(({ location }) => location)).toEqual([
      'JWT_ISSUER',
      'DATABRAIN_API_KEY_SALES',
      'DATABRAIN_API_KEY_SALES_FILE',
      'JWT_SECRET_FILE',
    ]);
    expect(JSON.stringify(problems)).not.toContain('0f0e7d2b');
  });
});

const good = {
  JWT_ISSUER: 'https://login.example.com/',
  JWT_AUDIENCE: 'reports',
  DATABRAIN_API_KEY: '5d0b1d5e-77aa-4d0c-9a39-7f3c1f4f2f13',
};
const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

/** The problems of settings, some of which are in files or in a store. */
function problemsOf(
  env: Record<string, string>,
  { files = {}, stored = {} }: { files?: Record<string, string>; stored?: Record<string, string> } = {},
): readonly Problem[] {
  const get = (name: string) => {
    const text = stored[name];
    const source = { store: 'Vault', reference: 'secret/app#key', read: () => Promise.reject(new Error('unused')) };
    return text === undefined ? undefined : { name, value: new Secret(text), stored: source };
  };
  try {
    readSettings(env, (path) => Buffer.from(files[path] ?? ''), { ...noStoredSecrets, get });
    return [];
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems;
    throw error;
  }
}

describe('values from files and stores', () => {
  const { DATABRAIN_API_KEY: apiKey, ...others } = good;

  it.each([
    ['quotes', `"${apiKey}"`],
    ['a space at the end', `${apiKey} `],
    ['a placeholder', 'your-databrain-api-key'],
    ['one character', 'x'],
  ])('are refused with %s, in a file and in a store', (_title, text) => {
    const inFile = problemsOf({ ...others, DATABRAIN_API_KEY_FILE: '/key' }, { files: { '/key': `${text}\n` } });
    const inStore = problemsOf(
      { ...others, DATABRAIN_API_KEY_VAULT: 'secret/app#key' },
      { stored: { DATABRAIN_API_KEY: text } },
    );
    for (const problems of [inFile, inStore]) {
      expect(problems).toHaveLength(1);
      expect(problems[0]?.location).toMatch(/^DATABRAIN_API_KEY(_FILE|_VAULT)?$/);
      expect(JSON.stringify(problems)).not.toContain(apiKey);
    }
  });

  it('are refused in each line of a secret and in Redis URLs', () => {
    const files = {
      '/secret': `kJ8s0dGwq3h1pXvC4nT7yL9mB2eR5aQ1\n"pXvC4nT7yL9mB2eR5aQ1kJ8s0dGwq3h1"\n`,
      '/redis': "'redis://a'",
    };
    const problems = problemsOf({ ...good, JWT_SECRET_FILE: '/secret', REDIS_URL_FILE: '/redis' }, { files });
    expect(problems.map(({ location }) => location).sort()).toEqual(['JWT_SECRET', 'REDIS_URL_FILE']);
    expect(JSON.stringify(problems)).not.toContain('pXvC4nT7');
  });

  it('may be PEM keys that end in empty lines', () => {
    const pem = `${publicKey.export({ format: 'pem', type: 'spki' }).toString()}\n\n`;
    expect(problemsOf({ ...good, JWT_PUBLIC_KEY_FILE: '/pem' }, { files: { '/pem': pem } })).toEqual([]);
  });

  it('are refused in the issuers file, with their position', () => {
    const { DATABRAIN_API_KEY } = good;
    const file = `- issuer: "'https://login.example.com/'"
  audience: reports
- issuer: https://your-tenant.eu.auth0.com/
  audience: [reports, changeme]
- issuer: https://two.example.com/
  audience: reports
  jwksUrl: https://<tenant>.example.com/keys
- issuer: https://three.example.com/
  audience: reports
  secret: '"kJ8s0dGwq3h1pXvC4nT7yL9mB2eR5aQ1"'
`;
    const problems = problemsOf({ DATABRAIN_API_KEY, JWT_ISSUERS_FILE: '/issuers' }, { files: { '/issuers': file } });
    expect(problems.map(({ location }) => location)).toEqual([
      '/issuers:1:11',
      '/issuers:3:11',
      '/issuers:4:13',
      '/issuers:7:12',
      '/issuers:10:11',
    ]);
  });
});
