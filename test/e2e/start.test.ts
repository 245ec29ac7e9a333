// A process with a wrong configuration: every problem at once, one line each, exit code 78, no secret printed. Single
// problems are in test/unit/commands/serve.test.ts.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { freePort } from '../../demo/free-port.ts';
import { needs } from '../support/vitest/needs.ts';
import { programPath } from '../support/programs/program-path.ts';
import { runProgram, startProgram } from '../support/programs/program.ts';
import { until } from '../support/until.ts';
import { salesPolicy as policy } from '../support/sales-policy.ts';

const secret = 'the secret that must never be printed and is long';
const apiKey = '0f0e7d2b-9c3a-4c6f-8a8a-3f5a9d1b7c21';
let folder: string;
let path: string;

const good = {
  HOST: '127.0.0.1',
  JWT_ISSUER: 'https://issuer.example',
  JWT_AUDIENCE: 'guest-token',
  JWT_SECRET: secret,
  DATABRAIN_API_KEY: apiKey,
  DATABRAIN_API_URL: 'http://127.0.0.1:1',
};

beforeAll(async () => {
  path = programPath();
  folder = mkdtempSync(join(tmpdir(), 'guest-token-start-'));
  writeFileSync(join(folder, 'policy.yaml'), policy);
  writeFileSync(join(folder, 'broken.yaml'), policy.replace('expiresIn: 1h', 'expiresin: 1h'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('a start', () => {
  it('reports all problems at once', async () => {
    const env = {
      JWT_ALGORITHMS: 'none',
      TRUST_PROXY: 'true',
      CORS_ORIGINS: '*',
      PORT: 'x',
      POLICY_FILE: 'broken.yaml',
      TOKEN_REUZE: 'off',
      JWT_SECRET: `"${secret}"`,
      DATABRAIN_API_KEY: `"${apiKey}"`,
    };
    const { exitCode, output } = await runProgram(path, ['serve'], env, folder);
    expect(exitCode).toBe(78);
    const lines = output.trim().split('\n');
    for (const line of lines) expect(line).toMatch(/^[^ ]+: .+\. .+\.$/);
    for (const word of [secret, apiKey]) expect(output).not.toContain(word);
    const named = lines.map((line) => line.split(': ')[0]);
    expect(named).toEqual(
      expect.arrayContaining([
        'JWT_ISSUER',
        'JWT_AUDIENCE',
        'TRUST_PROXY',
        'CORS_ORIGINS',
        'PORT',
        'JWT_SECRET',
        'DATABRAIN_API_KEY',
        'TOKEN_REUZE',
        'broken.yaml:5:5',
      ]),
    );
    expect(output).toMatch(/^TOKEN_REUZE: .*\bTOKEN_REUSE\b/m);
  });

  it.each(['PORT', 'ADMIN_PORT'])('reports %s if its port is in use', async (taken) => {
    const port = await freePort();
    const env = { ...good, SHUTDOWN_DRAIN_SECONDS: '0' };
    const first = await startProgram({ path, env: { ...env, PORT: String(port) }, files: { 'policy.yaml': policy } });
    const ports = { PORT: '0', ADMIN_PORT: '0', [taken]: String(port) };
    const { exitCode, output } = await runProgram(path, ['serve'], { ...env, ...ports }, folder);
    expect(exitCode).toBe(78);
    expect(output).toMatch(new RegExp(`^${taken}: .*EADDRINUSE`, 'm'));
    expect(await first.stop()).toBe(0);
  });

  it.each([
    ['PORT', 'HOST'],
    ['ADMIN_PORT', 'ADMIN_HOST'],
  ])('reports %s if %s is not an address of this machine', async (port, host) => {
    const ports = { PORT: '0', ADMIN_PORT: String(await freePort()) };
    const settings = { ...good, ...ports, SHUTDOWN_DRAIN_SECONDS: '0', [host]: '192.0.2.1' };
    const { exitCode, output } = await runProgram(path, ['serve'], settings, folder);
    expect(exitCode).toBe(78);
    expect(output).toMatch(new RegExp(`^${port}: .*EADDRNOTAVAIL.* ${host} and ${port}\\.$`, 'm'));
  });
});

describe('a start on Node.js', () => {
  const asVersion = (version: string) => {
    const pretend = `Object.defineProperty(process.versions, 'node', { value: '${version}' })`;
    return runProgram(path, ['--version'], {
      NODE_OPTIONS: `--import "data:text/javascript,${encodeURIComponent(pretend)}"`,
    });
  };

  it.each(['18.20.8', '20.20.2', '22.18.0'])('%s is refused, with the required version', async (version) => {
    const { exitCode, output } = await asVersion(version);
    expect([exitCode, output]).toEqual([78, `Node.js: ${version} is too old. Use Node.js 22.19 or newer.\n`]);
  });

  it.each(['22.19.0', '24.0.0'])('%s succeeds', async (version) => {
    expect((await asVersion(version)).exitCode).toBe(0);
  });

  it('reports the version in package.json', () => {
    expect(packageJson.engines.node).toBe('>=22.19');
  });
});

describe('a start that fails because of a programming error', () => {
  it('prints a few lines: the type of the error and its place, without its message and the code', async () => {
    // Open sockets and timers must not keep the process alive.
    const failingScript = `setInterval(() => {}, 1000); process.cwd = () => { throw new RangeError('${secret}'); }`;
    const file = join(folder, 'failingScript.mjs');
    writeFileSync(file, failingScript);
    const { exitCode, output } = await runProgram(path, ['check'], { ...good, NODE_OPTIONS: `--import ${file}` });
    expect(exitCode).toBe(1);
    const [first, type, ...frames] = output.trimEnd().split('\n');
    expect(first).toMatch(/^guest-token-proxy: .*internal error/);
    expect(type).toBe('RangeError');
    expect(frames.length).toBeGreaterThan(0);
    for (const frame of frames) expect(frame).toMatch(/^ {2}at .{1,200}$/);
    expect(output).not.toContain(secret);
  });
});

describe('a start with an insecure setting', () => {
  it('logs a warning', async () => {
    const program = await startProgram({
      path,
      env: { ...good, INSECURE_JWT_ALLOW_MISSING_AUDIENCE: 'true' },
      files: { 'policy.yaml': policy },
    });
    expect(program.lines()).toContainEqual(
      expect.objectContaining({ level: 'warn', setting: 'INSECURE_JWT_ALLOW_MISSING_AUDIENCE' }),
    );
    expect(await program.stop()).toBe(0);
  });
});

const hasPython = spawnSync('python3', ['-c', 'import pty']).status === 0;

describe('a start in a terminal', () => {
  it.skipIf(!hasPython)(`prints readable lines, and Ctrl-C stops it${needs(hasPython, 'python3')}`, async () => {
    const inTerminal = 'import pty, sys; sys.exit(pty.spawn(sys.argv[1:]))';
    const env = { ...good, PORT: String(await freePort()), ADMIN_PORT: '0', SHUTDOWN_DRAIN_SECONDS: '0' };
    const terminal = spawn('python3', ['-c', inTerminal, process.execPath, path, 'serve'], {
      env: { ...env, PATH: process.env['PATH'], POLICY_FILE: join(folder, 'policy.yaml') },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let output = '';
    terminal.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const exited = once(terminal, 'exit');
    await until(() => /INFO.*listening/.test(output) || terminal.exitCode !== null, 20_000);
    terminal.stdin.write('\x03');
    expect(await exited).toEqual([0, null]);
    expect(output).toMatch(/INFO.*listening/);
    expect(output).not.toContain('{"level"');
  });
});
