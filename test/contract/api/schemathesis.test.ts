// An independent check of openapi.yaml: schemathesis (PyPI) generates valid and invalid requests from the description,
// and checks every response of the running service.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { startDatabrain } from './provocations.ts';
import { accessToken, startService } from './running-service.ts';
import { needs } from '../../support/vitest/needs.ts';

const program = 'schemathesis';
const isInstalled = spawnSync(program, ['--version']).status === 0;
const reason = needs(isInstalled, program);
const description = fileURLToPath(new URL('../../../openapi.yaml', import.meta.url));

/** It writes a cache to its working directory. */
const scratch = mkdtempSync(join(tmpdir(), 'schemathesis-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function runSchemathesis(
  args: readonly string[],
): Promise<{ readonly exitCode: number | null; readonly output: string }> {
  const child = spawn(program, args, {
    cwd: scratch,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1' },
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (exitCode) => resolve({ exitCode, output }));
  });
}

describe.skipIf(!isInstalled)(`schemathesis${reason}`, () => {
  it('finds nothing on the public listener that openapi.yaml does not describe', { timeout: 180_000 }, async () => {
    const databrain = await startDatabrain();
    // Rate limits must not hide other responses.
    const settings = { RATE_LIMIT_ADDRESS_MAX: '1000000', RATE_LIMIT_USER_MAX: '1000000' };
    const service = await startService({ databrainUrl: databrain.url, settings });
    const { exitCode, output } = await runSchemathesis([
      'run',
      description,
      '--url',
      `http://127.0.0.1:${service.port}`,
      '--include-path-regex',
      '^/(guest-token|livez|readyz|healthz|openapi.yaml|guest-token.js)$',
      '--header',
      `Authorization: Bearer ${accessToken()}`,
      '--checks',
      'all',
      '--max-examples',
      '40',
      '--seed',
      '1',
      '--workers',
      '1',
    ]);
    await service.stop();
    await databrain.close();
    expect(output).toMatch(/\d+ generated/);
    expect(output.split('\n').filter((line) => /FAILED|^- /.test(line))).toEqual([]);
    expect(exitCode).toBe(0);
  });
});
