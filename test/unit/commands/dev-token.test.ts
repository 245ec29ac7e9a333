import { decodeJwt, jwtVerify } from 'jose';
import { describe, expect, it } from 'vitest';
import { devTokenCommand } from '../../../src/commands/dev-token.ts';
import { runCommand } from '../../support/programs/run-command.ts';

const secret = 'a secret of this test that is long enough';
const nowMs = 1_767_225_600_000;
const env = { JWT_SECRET: secret, JWT_ISSUER: 'https://issuer.example', JWT_AUDIENCE: 'reports,other' };
const run = (claims: string, more: Record<string, string> = {}) =>
  runCommand(devTokenCommand, ['--claims', claims], { env: { ...env, ...more }, nowMs });

describe('dev-token', () => {
  it('signs the claims with iss and aud of the settings, iat and exp of the clock', async () => {
    const { exitCode, out } = await run('{"sub":"ada"}');
    expect(exitCode).toBe(0);
    const { payload } = await jwtVerify(out.trim(), Buffer.from(secret), { currentDate: new Date(nowMs) });
    const iat = nowMs / 1000;
    expect(payload).toEqual({ sub: 'ada', iss: 'https://issuer.example', aud: 'reports', iat, exp: iat + 3_600 });
  });

  it('keeps iss, aud, iat and exp if the claims contain them', async () => {
    const { out } = await run('{"sub":"ada","iat":7,"exp":8,"iss":"i","aud":"a"}');
    expect(decodeJwt(out.trim())).toEqual({ sub: 'ada', iat: 7, exp: 8, iss: 'i', aud: 'a' });
  });

  it('signs with the decoded bytes of the secret, as the service does', async () => {
    const bytes = Buffer.from(secret);
    const { out } = await run('{"sub":"ada"}', {
      JWT_SECRET: bytes.toString('base64'),
      JWT_SECRET_ENCODING: 'base64',
    });
    await expect(jwtVerify(out.trim(), bytes, { currentDate: new Date(nowMs) })).resolves.toBeDefined();
  });

  it.each([
    ['a secret that the service would refuse', { JWT_SECRET: 'short' }, 'JWT_SECRET: '],
    ['an algorithm for public keys', { JWT_ALGORITHMS: 'RS256' }, 'JWT_ALGORITHMS: '],
    ['no secret', { JWT_SECRET: '' }, 'JWT_SECRET: '],
  ])('reports %s', async (_title, more, line) => {
    const { exitCode, out, err } = await run('{"sub":"ada"}', more);
    expect({ exitCode, out }).toEqual({ exitCode: 78, out: '' });
    expect(err).toContain(line);
  });
});
