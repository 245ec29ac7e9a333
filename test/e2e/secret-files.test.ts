// Secrets in files that change while the program runs: values that two secrets must not share, and files that hang.
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { SimulatedDatabrain } from '../../demo/databrain/start-simulated-databrain.ts';
import { programPath } from '../support/programs/program-path.ts';
import { startProgram, type Program } from '../support/programs/program.ts';
import { signToken } from '../support/sign-token.ts';
import { salesPolicy as policy } from '../support/sales-policy.ts';
import { apiKey, startDatabrain } from '../support/programs/sales-service.ts';
import { sentenceOf } from '../support/sentences/name-sentence.ts';

const jwtSecret = 'q8Zt-first-signing-secret-of-the-secret-file-tests';
const otherSecret = 'w3Rk-other-signing-secret-of-the-secret-file-tests';

let databrain: SimulatedDatabrain;
let program: Program | undefined;

beforeAll(async () => {
  databrain = await startDatabrain();
});
afterEach(async () => {
  await program?.kill();
});
afterAll(async () => {
  await databrain.close();
});

async function start(): Promise<Program> {
  program = await startProgram({
    path: programPath(),
    env: {
      JWT_ISSUER: 'https://issuer.example',
      JWT_AUDIENCE: 'guest-token',
      JWT_SECRET_FILE: 'jwt-secret',
      DATABRAIN_API_URL: databrain.url,
      DATABRAIN_API_KEY_FILE: 'api-key',
      TOKEN_REUSE: 'off',
    },
    files: { 'policy.yaml': policy, 'jwt-secret': `${jwtSecret}\n`, 'api-key': `${apiKey}\n` },
  });
  return program;
}

const write = (running: Program, file: string, content: string): void =>
  writeFileSync(join(running.folder, file), content);

async function statusAs(running: Program, secret: string): Promise<number> {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: 'https://issuer.example', aud: 'guest-token', sub: 'u1', org_id: 'acme', exp: now + 600 };
  const token = signToken('HS256', secret, { ...claims, jti: Math.random() });
  return (await running.send({ headers: { authorization: `Bearer ${token}` } })).status;
}

const refusals = (running: Program) =>
  running.logged('secretFileRefused').map(({ setting, problem }) => [setting, problem]);

const eventually = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 15_000, interval: 20 });

describe('a changed secret file', () => {
  it('is refused if the JWT secret equals the API key: the old key stays in use', async () => {
    const running = await start();
    write(running, 'api-key', jwtSecret);
    running.signal('SIGHUP');
    await eventually(() => expect(refusals(running)).toEqual([['DATABRAIN_API_KEY', sentenceOf('sameAsJwtSecret')]]));
    expect(await statusAs(running, jwtSecret)).toBe(200);
    expect(running.output()).not.toContain(jwtSecret);
  });

  it('is refused if the API key equals the JWT secret: the old secret stays in use', async () => {
    const running = await start();
    write(running, 'jwt-secret', `${jwtSecret}\n${apiKey}`);
    running.signal('SIGHUP');
    await eventually(() => expect(refusals(running)).toEqual([['JWT_SECRET', sentenceOf('sameAsApiKey')]]));
    expect(await statusAs(running, apiKey)).toBe(401);
    expect(await statusAs(running, jwtSecret)).toBe(200);
    expect(running.output()).not.toContain(apiKey);
  });

  it('is used automatically when the reason for its refusal is gone', async () => {
    const running = await start();
    write(running, 'api-key', jwtSecret);
    await eventually(() => expect(refusals(running)).toHaveLength(1));
    write(running, 'jwt-secret', otherSecret);
    await eventually(() => {
      expect(running.logged('secretReloaded').map(({ setting }) => setting)).toEqual([
        'JWT_SECRET',
        'DATABRAIN_API_KEY',
      ]);
    });
    expect(refusals(running)).toHaveLength(1);
  });

  it('is reported if it is replaced by a FIFO, and blocks nothing', async () => {
    const running = await start();
    rmSync(join(running.folder, 'jwt-secret'));
    execFileSync('mkfifo', [join(running.folder, 'jwt-secret')]);
    await eventually(() => expect(refusals(running)).toEqual([['JWT_SECRET', expect.any(String)]]));
    expect(await statusAs(running, jwtSecret)).toBe(200);
    write(running, 'api-key', `${apiKey}`);
    running.signal('SIGHUP');
    expect(await running.stop()).toBe(0);
  });
});
