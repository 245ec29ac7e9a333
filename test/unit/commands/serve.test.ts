// Misconfigurations stop the start before any socket opens: one line each with the variable, the problem and the fix,
// exit code 78, no secret printed. The real process is in test/e2e/start.test.ts.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serveCommand } from '../../../src/commands/serve.ts';
import { runCommand } from '../../support/programs/run-command.ts';
import { salesPolicy as policy } from '../../support/sales-policy.ts';

const secret = 'the secret that must never be printed and is long';
const apiKey = '0f0e7d2b-9c3a-4c6f-8a8a-3f5a9d1b7c21';
let folder: string;

const good = {
  HOST: '127.0.0.1',
  JWT_ISSUER: 'https://issuer.example',
  JWT_AUDIENCE: 'guest-token',
  JWT_SECRET: secret,
  DATABRAIN_API_KEY: apiKey,
  DATABRAIN_API_URL: 'http://127.0.0.1:1',
};
const publicKey = generateKeyPairSync('rsa', { modulusLength: 2048 })
  .publicKey.export({ type: 'spki', format: 'pem' })
  .toString();
const weakKey = generateKeyPairSync('rsa', { modulusLength: 1024 })
  .publicKey.export({ type: 'spki', format: 'pem' })
  .toString();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'guest-token-start-'));
  writeFileSync(join(folder, 'policy.yaml'), policy);
  writeFileSync(join(folder, 'empty'), '\n');
  execFileSync('mkfifo', [join(folder, 'fifo')]);
  writeFileSync(join(folder, 'two-lines'), `${apiKey}\n${apiKey}\n`);
  writeFileSync(join(folder, 'broken.yaml'), policy.replace('expiresIn: 1h', 'expiresin: 1h'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const without = (name: keyof typeof good): Record<string, string> =>
  Object.fromEntries(Object.entries(good).filter(([key]) => key !== name));

const cases: readonly (readonly [title: string, env: Record<string, string>, location: string])[] = [
  ['no issuer', without('JWT_ISSUER'), 'JWT_ISSUER'],
  ['no audience', without('JWT_AUDIENCE'), 'JWT_AUDIENCE'],
  ['no API key', without('DATABRAIN_API_KEY'), 'DATABRAIN_API_KEY'],
  ['an empty API key', { ...good, DATABRAIN_API_KEY: '' }, 'DATABRAIN_API_KEY'],
  [
    'an API key of two lines',
    { ...without('DATABRAIN_API_KEY'), DATABRAIN_API_KEY_FILE: 'two-lines' },
    'DATABRAIN_API_KEY',
  ],
  [
    'an API key file that is empty',
    { ...without('DATABRAIN_API_KEY'), DATABRAIN_API_KEY_FILE: 'empty' },
    'DATABRAIN_API_KEY_FILE',
  ],
  [
    'an API key file that is missing',
    { ...without('DATABRAIN_API_KEY'), DATABRAIN_API_KEY_FILE: 'nowhere' },
    'DATABRAIN_API_KEY_FILE',
  ],
  ['a secret in two settings', { ...good, JWT_SECRET_FILE: 'two-lines' }, 'JWT_SECRET'],
  ['a short HMAC secret', { ...good, JWT_SECRET: 'short' }, 'JWT_SECRET'],
  [
    'an HMAC secret too short for HS512',
    { ...good, JWT_ALGORITHMS: 'HS512', JWT_SECRET: 'a-secret-that-is-too-short-for-HS512-only' },
    'JWT_SECRET',
  ],
  ['a public key as HMAC secret', { ...good, JWT_SECRET: publicKey }, 'JWT_SECRET'],
  [
    'a public key in base64 as HMAC secret',
    { ...good, JWT_SECRET: publicKey.replace(/-----.*-----|\n/g, '') },
    'JWT_SECRET',
  ],
  [
    'a JWK as HMAC secret',
    { ...good, JWT_SECRET: '{"kty":"RSA","n":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","e":"AQAB"}' },
    'JWT_SECRET',
  ],
  ['an RSA key under 2048 bits', { ...without('JWT_SECRET'), JWT_PUBLIC_KEY: weakKey }, 'JWT_PUBLIC_KEY'],
  ['two key sources', { ...good, JWT_PUBLIC_KEY: publicKey }, 'JWT_PUBLIC_KEY'],
  ['mixed algorithms', { ...good, JWT_ALGORITHMS: 'HS256,RS256' }, 'JWT_ALGORITHMS'],
  ['the algorithm none', { ...good, JWT_ALGORITHMS: 'none' }, 'JWT_ALGORITHMS'],
  ['the API key as JWT secret', { ...good, JWT_SECRET: apiKey, DATABRAIN_API_KEY: apiKey }, 'DATABRAIN_API_KEY'],
  ['http to Databrain', { ...good, DATABRAIN_API_URL: 'http://databrain.example' }, 'DATABRAIN_API_URL'],
  ['http to the key set', { ...without('JWT_SECRET'), JWT_JWKS_URL: 'http://issuer.example/jwks' }, 'JWT_JWKS_URL'],
  [
    'an http issuer as base of discovery',
    { ...without('JWT_SECRET'), JWT_ISSUER: 'http://issuer.example' },
    'JWT_ISSUER',
  ],
  ['TRUST_PROXY=true', { ...good, TRUST_PROXY: 'true' }, 'TRUST_PROXY'],
  ['TRUST_PROXY with every address', { ...good, TRUST_PROXY: '0.0.0.0/0' }, 'TRUST_PROXY'],
  ['TRUST_PROXY with every mapped IPv4 address', { ...good, TRUST_PROXY: '::ffff:0:0/96' }, 'TRUST_PROXY'],
  ['CORS_ORIGINS=*', { ...good, CORS_ORIGINS: '*' }, 'CORS_ORIGINS'],
  ['a negative number', { ...good, DATABRAIN_TIMEOUT_MS: '-1' }, 'DATABRAIN_TIMEOUT_MS'],
  ['a number that is not finite', { ...good, RATE_LIMIT_USER_MAX: 'Infinity' }, 'RATE_LIMIT_USER_MAX'],
  ['a limit of zero', { ...good, RATE_LIMIT_ADDRESS_MAX: '0' }, 'RATE_LIMIT_ADDRESS_MAX'],
  [
    'disabled verification of certificates',
    { ...good, NODE_TLS_REJECT_UNAUTHORIZED: '0' },
    'NODE_TLS_REJECT_UNAUTHORIZED',
  ],
  [
    'a published example as HMAC secret',
    { ...good, JWT_SECRET: 'a-string-secret-at-least-256-bits-long' },
    'JWT_SECRET',
  ],
  ['one character repeated as HMAC secret', { ...good, JWT_SECRET: 'x'.repeat(40) }, 'JWT_SECRET'],
  ['a secret that is not in its encoding', { ...good, JWT_SECRET_ENCODING: 'hex' }, 'JWT_SECRET'],
  ['an unknown encoding of the secret', { ...good, JWT_SECRET_ENCODING: 'base32' }, 'JWT_SECRET_ENCODING'],
  [
    'an encoding without a secret',
    { ...without('JWT_SECRET'), JWT_SECRET_ENCODING: 'base64', JWT_PUBLIC_KEY: publicKey },
    'JWT_SECRET_ENCODING',
  ],
  ['Authorization as the name of the token header', { ...good, JWT_HEADER_NAME: 'Authorization' }, 'JWT_HEADER_NAME'],
  ['an invalid header name', { ...good, JWT_HEADER_NAME: 'x y' }, 'JWT_HEADER_NAME'],
  [
    'a user claim together with an issuers file',
    { ...good, JWT_ISSUERS_FILE: 'empty', JWT_USER_CLAIM: 'uid' },
    'JWT_USER_CLAIM',
  ],
  ['a secret in a FIFO', { ...without('JWT_SECRET'), JWT_SECRET_FILE: 'fifo' }, 'JWT_SECRET_FILE'],
  ['a policy in a FIFO', { ...good, POLICY_FILE: 'fifo' }, 'POLICY_FILE'],
  ['a tolerance that is too long', { ...good, JWT_CLOCK_TOLERANCE_SECONDS: '121' }, 'JWT_CLOCK_TOLERANCE_SECONDS'],
  ['a misspelt variable', { ...good, JWT_AUDIENCES: 'x' }, 'JWT_AUDIENCES'],
  ['an issuer in quotes', { ...good, JWT_ISSUER: '"https://issuer.example"' }, 'JWT_ISSUER'],
  ['an audience in quotes', { ...good, JWT_AUDIENCE: "'guest-token'" }, 'JWT_AUDIENCE'],
  ['an API key in quotes', { ...good, DATABRAIN_API_KEY: `"${apiKey}"` }, 'DATABRAIN_API_KEY'],
  ['a secret in quotes', { ...good, JWT_SECRET: `"${secret}"` }, 'JWT_SECRET'],
  ['an issuer with a space at its end', { ...good, JWT_ISSUER: 'https://issuer.example ' }, 'JWT_ISSUER'],
  ['an API key from an example', { ...good, DATABRAIN_API_KEY: 'dbn_live_abc123...' }, 'DATABRAIN_API_KEY'],
  ['an API key with a descriptive text', { ...good, DATABRAIN_API_KEY: 'your-api-key' }, 'DATABRAIN_API_KEY'],
  ['the API key changeme', { ...good, DATABRAIN_API_KEY: 'changeme' }, 'DATABRAIN_API_KEY'],
  ['an API key of one character', { ...good, DATABRAIN_API_KEY: 'x' }, 'DATABRAIN_API_KEY'],
  [
    'a placeholder as a further API key',
    { ...good, DATABRAIN_API_KEY_SALES: 'your-api-key' },
    'DATABRAIN_API_KEY_SALES',
  ],
  ['an issuer with a template', { ...good, JWT_ISSUER: 'https://login.example/<tenant-id>/v2.0' }, 'JWT_ISSUER'],
  [
    'the URL of the endpoint instead of the API',
    { ...good, DATABRAIN_API_URL: 'https://api.usedatabrain.com/api/v2/guest-token/create' },
    'DATABRAIN_API_URL',
  ],
  ['a misspelt setting without a prefix', { ...good, TRUST_PROXIES: '10.0.0.1' }, 'TRUST_PROXIES'],
  ['another name for the Redis URL', { ...good, REDIS_URI: 'redis://127.0.0.1' }, 'REDIS_URI'],
  ['a setting without its underscore', { ...good, LOGLEVEL: 'debug' }, 'LOGLEVEL'],
  ['an API key in two places', { ...good, DATABRAIN_API_KEY_VAULT: 'kv/x#y' }, 'DATABRAIN_API_KEY'],
  [
    'a secret in Vault without its address',
    { ...without('DATABRAIN_API_KEY'), DATABRAIN_API_KEY_VAULT: 'kv/x#y' },
    'VAULT_ADDR',
  ],
  ['a missing policy', { ...good, POLICY_FILE: 'nowhere.yaml' }, 'POLICY_FILE'],
  ['a broken policy', { ...good, POLICY_FILE: 'broken.yaml' }, 'broken.yaml:5:5'],
  ['one port for both listeners', { ...good, PORT: '9091', ADMIN_PORT: '9091' }, 'ADMIN_PORT'],
  ['an invalid Redis URL', { ...good, REDIS_URL: 'redis://:hunter2secret@' }, 'REDIS_URL'],
];

describe('a start with', () => {
  it.each(cases)('%s is refused', async (_title, env, location) => {
    const { exitCode, out, err } = await runCommand(serveCommand, [], {
      env: { PORT: '0', ADMIN_PORT: '0', ...env },
      cwd: folder,
    });
    expect(exitCode).toBe(78);
    const output = out + err;
    const lines = output.trim().split('\n');
    expect(lines.some((line) => line.startsWith(`${location}: `))).toBe(true);
    for (const line of lines) expect(line).toMatch(/^[^ ]+: .+\. .+\.$/);
    const publicText = publicKey.split('\n')[2] ?? '';
    for (const word of [secret, apiKey, 'hunter2secret', publicText]) expect(output).not.toContain(word);
  });
});
