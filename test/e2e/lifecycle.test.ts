// Signals and changing files, on the built program: draining, finishing running requests, a second signal, SIGHUP, and
// policies and keys that change.
import { renameSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startSimulatedDatabrain, type SimulatedDatabrain } from '../../demo/databrain/start-simulated-databrain.ts';
import { programPath } from '../support/programs/program-path.ts';
import { startProgram, type ProgramResponse, type Program } from '../support/programs/program.ts';
import { shortestMs } from '../support/shortest.ts';
import { signToken } from '../support/sign-token.ts';
import { salesPolicy, salesPolicyWith } from '../support/sales-policy.ts';
import { apiKey, startDatabrain } from '../support/programs/sales-service.ts';
import { sentenceOf } from '../support/sentences/name-sentence.ts';

const oldSecret = 'the first secret of this test, 32 bytes or more'.replace(',', '');
const newSecret = 'the second secret of this test 32 bytes or more';
const nextApiKey = '7c8f6e0e-1f0a-4f25-92f4-25a6e7a1f002';

const settings = (databrain: SimulatedDatabrain): Record<string, string> => ({
  JWT_ISSUER: 'https://issuer.example',
  JWT_AUDIENCE: 'guest-token',
  JWT_SECRET_FILE: 'jwt-secret',
  DATABRAIN_API_URL: databrain.url,
  DATABRAIN_API_KEY_FILE: 'api-key',
  TOKEN_REUSE: 'off',
  RATE_LIMIT_USER_MAX: '100000',
});
const files = (): Record<string, string> => ({
  'policy.yaml': salesPolicy,
  'jwt-secret': `${oldSecret}\n`,
  'api-key': `${apiKey}\r\n`,
});

const bearer = (secret: string, claims: object = {}): Record<string, string> => {
  const now = Math.floor(Date.now() / 1000);
  const usual = {
    iss: 'https://issuer.example',
    aud: 'guest-token',
    sub: 'u1',
    org_id: 'acme',
    iat: now,
    exp: now + 600,
  };
  return { authorization: `Bearer ${signToken('HS256', secret, { ...usual, ...claims })}` };
};

/** Writes a file like Kubernetes: creates a new file, then renames it. */
function replaceFile(program: Program, name: string, text: string): void {
  writeFileSync(join(program.folder, `${name}.next`), text);
  renameSync(join(program.folder, `${name}.next`), join(program.folder, name));
}

async function eventually(problem: () => Promise<boolean> | boolean, withinMs = 8_000): Promise<void> {
  const end = Date.now() + withinMs;
  while (!(await problem())) {
    if (Date.now() > end) throw new Error('it did not happen in time');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

let databrain: SimulatedDatabrain;
let slow: SimulatedDatabrain;
let program: Program | undefined;

beforeAll(async () => {
  databrain = await startDatabrain({ rateLimit: 'off' });
  slow = await startDatabrain({ delayMs: 600 });
});
afterEach(async () => {
  await program?.kill();
});
afterAll(async () => {
  await databrain.close();
  await slow.close();
});

const start = async (upstream: SimulatedDatabrain, env: Record<string, string> = {}): Promise<Program> => {
  program = await startProgram({ path: programPath(), env: { ...settings(upstream), ...env }, files: files() });
  return program;
};

describe('on SIGTERM', () => {
  it('first serves but is not ready, then finishes running requests, and exits with 0', async () => {
    const running = await start(slow, { SHUTDOWN_DRAIN_SECONDS: '1' });
    running.signal('SIGTERM');
    await eventually(async () => (await running.send({ method: 'GET', path: '/readyz' })).status === 503);
    expect((await running.send({ method: 'GET', path: '/livez' })).status).toBe(200);
    const draining = running.send({ headers: bearer(oldSecret) });
    expect((await draining).status).toBe(200);
    expect((await draining).headers['connection']).toBe('close');
    await new Promise((resolve) => setTimeout(resolve, 150));
    const late = running.send({ headers: bearer(oldSecret, { sub: 'u2' }) });
    // Closed before or while it was accepted.
    expect([200, 'ECONNREFUSED', 'ECONNRESET']).toContain(
      await late.then(
        ({ status }) => status,
        (error: NodeJS.ErrnoException) => error.code,
      ),
    );
    expect(await running.exited).toBe(0);
    expect(running.logged('stopped')).toEqual([running.lines().at(-1)]);
  });

  it('serves a request that arrives when it stops listening', async () => {
    const running = await start(databrain);
    const socket = connect(running.port, '127.0.0.1');
    const [first = '', ...rest] = Object.entries(bearer(oldSecret)).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`POST /guest-token HTTP/1.1\r\nHost: proxy\r\n`);
    await eventually(async () => (await running.send({ method: 'GET', path: '/livez' })).status === 200);
    running.signal('SIGTERM');
    const refuses = (): Promise<boolean> =>
      running.send({ method: 'GET', path: '/livez' }).then(
        () => false,
        () => true,
      );
    await eventually(refuses);
    socket.write(`${first}${rest.join('')}Content-Length: 0\r\n\r\n`);
    let text = '';
    for await (const chunk of socket) text += String(chunk);
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
    expect(text.toLowerCase()).toContain('\r\nconnection: close\r\n');
    expect(await running.exited).toBe(0);
  });

  it('answers a running request while it accepts no new connections', async () => {
    const running = await start(slow);
    const underWay = running.send({ headers: bearer(oldSecret) });
    await eventually(() => slow.requests.length > 0 || true);
    await new Promise((resolve) => setTimeout(resolve, 200));
    running.signal('SIGTERM');
    expect((await underWay).status).toBe(200);
    expect(await running.exited).toBe(0);
  });

  it('is not delayed by idle keep-alive connections', async () => {
    const running = await start(databrain);
    const options = { host: '127.0.0.1', port: running.port, path: '/livez', headers: { connection: 'keep-alive' } };
    await new Promise<void>((resolve, reject) => {
      request(options, (response) => response.resume().on('end', resolve))
        .on('error', reject)
        .end();
    });
    const began = Date.now();
    expect(await running.stop()).toBe(0);
    expect(Date.now() - began).toBeLessThan(3_000);
  });

  it('ends running requests after the grace time', async () => {
    const running = await start(slow, {
      SHUTDOWN_GRACE_SECONDS: '1',
      DATABRAIN_TIMEOUT_MS: '30000',
      DATABRAIN_DEADLINE_MS: '30000',
    });
    const hanging = request({
      host: '127.0.0.1',
      port: running.port,
      path: '/guest-token',
      method: 'POST',
      headers: { ...bearer(oldSecret), 'content-type': 'application/json', 'content-length': '50' },
    });
    hanging.on('error', () => undefined);
    hanging.write('{');
    await new Promise((resolve) => setTimeout(resolve, 200));
    const began = Date.now();
    expect(await running.stop()).toBe(0);
    expect(Date.now() - began).toBeLessThan(4_000);
    hanging.destroy();
  });

  it('exits at once after a second signal', async () => {
    const ms = await shortestMs(2_000, async () => {
      const running = await start(databrain, { SHUTDOWN_DRAIN_SECONDS: '30' });
      running.signal('SIGTERM');
      await eventually(() => running.logged('stopping').length > 0);
      const began = performance.now();
      running.signal('SIGINT');
      // Not 0, which is the exit code after draining.
      expect(await running.exited).toBe(1);
      return performance.now() - began;
    });
    expect(ms).toBeLessThan(2_000);
  });
});

describe('a changed policy', () => {
  it('is used without a restart, at once after SIGHUP, and its revision is logged', async () => {
    const running = await start(databrain);
    const revision = async (): Promise<string> => {
      const answer = await running.send({ method: 'GET', path: '/version', port: running.adminPort });
      return (JSON.parse(answer.text) as { policyRevision: string }).policyRevision;
    };
    const before = await revision();
    replaceFile(running, 'policy.yaml', salesPolicyWith({ clientId: 'tenant-from-the-new-policy' }));
    running.signal('SIGHUP');
    await eventually(async () => (await revision()) !== before);
    expect((await running.send({ headers: bearer(oldSecret) })).status).toBe(200);
    expect(databrain.requests.at(-1)?.body).toMatchObject({ clientId: 'tenant-from-the-new-policy' });

    replaceFile(running, 'policy.yaml', salesPolicyWith({ clientId: 'and-by-polling' }));
    await eventually(async () => {
      await running.send({ headers: bearer(oldSecret) });
      return JSON.stringify(databrain.requests.at(-1)?.body).includes('and-by-polling');
    });
  });

  it('is refused if it is invalid: the old one stays in use, with a log line and a metric', async () => {
    const running = await start(databrain);
    replaceFile(
      running,
      'policy.yaml',
      salesPolicyWith({ clientId: '${claims.org_id' }).replace('expiresIn', 'expires'),
    );
    running.signal('SIGHUP');
    await eventually(() => running.logged('policyRefused').length > 0);
    expect((await running.send({ headers: bearer(oldSecret) })).status).toBe(200);
    expect(databrain.requests.at(-1)?.body).toMatchObject({ clientId: 'acme' });
    const metrics = await running.send({ method: 'GET', path: '/metrics', port: running.adminPort });
    expect(metrics.text).toContain('guest_token_policy_reloads_total{result="failed"} 1');
  });

  it('is used for complete requests only, even if it is reloaded under load', async () => {
    const running = await start(databrain, { RATE_LIMIT_ADDRESS_MAX: '100000' });
    const both = (name: string): string =>
      salesPolicyWith({ clientId: name }).replace(
        'allowedEmbeds: [sales-overview]',
        `userIdentifier: ${name}\n        allowedEmbeds: [${name}]`,
      );
    replaceFile(running, 'policy.yaml', both('policy-a'));
    running.signal('SIGHUP');
    const reloads = (): number => running.logged('policyReloaded').length;
    await eventually(() => reloads() === 1);
    const from = databrain.requests.length;
    const answers: Promise<ProgramResponse>[] = [];
    for (let round = 0; round < 6; round += 1) {
      for (let i = 0; i < 15; i += 1)
        answers.push(running.send({ headers: bearer(oldSecret, { sub: `u${round}-${i}` }) }));
      replaceFile(running, 'policy.yaml', both(round % 2 === 0 ? 'policy-b' : 'policy-a'));
      running.signal('SIGHUP');
      await eventually(() => reloads() === round + 2);
    }
    for (const answer of await Promise.all(answers)) expect(answer.status).toBe(200);
    const seen = databrain.requests
      .slice(from)
      .map(({ body }) => body as { clientId: string; params: { userIdentifier: string; allowedEmbeds: string[] } });
    for (const { clientId, params } of seen)
      expect([params.userIdentifier, ...params.allowedEmbeds]).toEqual([clientId, clientId]);
    expect(new Set(seen.map(({ clientId }) => clientId)).size).toBe(2);
  });
});

describe('a changed secret file', () => {
  it('rotates the JWT secret: both are accepted while both are in the file, then only the new one', async () => {
    const running = await start(databrain);
    expect((await running.send({ headers: bearer(newSecret) })).status).toBe(401);
    replaceFile(running, 'jwt-secret', `${oldSecret}\n${newSecret}\n`);
    running.signal('SIGHUP');
    await eventually(async () => (await running.send({ headers: bearer(newSecret) })).status === 200);
    expect((await running.send({ headers: bearer(oldSecret) })).status).toBe(200);
    replaceFile(running, 'jwt-secret', `${newSecret}\n`);
    running.signal('SIGHUP');
    await eventually(async () => (await running.send({ headers: bearer(oldSecret) })).status === 401);
    expect((await running.send({ headers: bearer(newSecret) })).status).toBe(200);
  });

  it('with an API key equal to the JWT secret is refused, even after both were rotated', async () => {
    const running = await start(databrain);
    const refused = (): number => running.lines().filter(({ level }) => level === 'error').length;
    replaceFile(running, 'jwt-secret', `${newSecret}\n`);
    running.signal('SIGHUP');
    await eventually(async () => (await running.send({ headers: bearer(newSecret) })).status === 200);
    replaceFile(running, 'api-key', newSecret.replaceAll(' ', '_'));
    running.signal('SIGHUP');
    await eventually(async () => (await running.send({ headers: bearer(newSecret) })).status === 502);
    const before = refused();
    replaceFile(running, 'jwt-secret', newSecret.replaceAll(' ', '_'));
    running.signal('SIGHUP');
    await eventually(() => refused() > before);
    expect((await running.send({ headers: bearer(newSecret.replaceAll(' ', '_')) })).status).toBe(401);
  });

  it('that is invalid does not replace the old value, and is logged without its value', async () => {
    const running = await start(databrain);
    for (const [name, text] of [
      ['jwt-secret', 'tiny'],
      ['jwt-secret', apiKey],
      ['api-key', 'a key with spaces'],
      ['api-key', oldSecret],
    ] as const) {
      const before = running.logged('secretFileRefused').length;
      replaceFile(running, name, text);
      running.signal('SIGHUP');
      await eventually(() => running.logged('secretFileRefused').length > before);
      expect((await running.send({ headers: bearer(oldSecret) })).status).toBe(200);
    }
    for (const word of ['tiny', apiKey, 'a key with spaces', oldSecret]) expect(running.output()).not.toContain(word);
  });

  it('with issuers is read only at the start, and a change is logged', async () => {
    const entry = (word: string): string =>
      `- { issuer: 'https://issuer.example', audience: guest-token, secret: ${word} }`;
    const [before, after] = ['the-secret-before-of-the-lifecycle-tests', 'the-secret-after-of-the-lifecycle-tests-'];
    program = await startProgram({
      path: programPath(),
      env: {
        ...settings(databrain),
        JWT_ISSUER: '',
        JWT_AUDIENCE: '',
        JWT_SECRET_FILE: '',
        JWT_ISSUERS_FILE: 'issuers.yaml',
      },
      files: { ...files(), 'issuers.yaml': entry(before) },
    });
    const running = program;
    expect((await running.send({ headers: bearer(before) })).status).toBe(200);
    replaceFile(running, 'issuers.yaml', entry(after));
    running.signal('SIGHUP');
    await eventually(() => running.lines().some(({ setting }) => setting === 'JWT_ISSUERS_FILE'));
    const line = running.lines().find(({ setting }) => setting === 'JWT_ISSUERS_FILE');
    expect(line).toMatchObject({ level: 'error', problem: sentenceOf('issuersChanged') });
    expect((await running.send({ headers: bearer(before) })).status).toBe(200);
    expect((await running.send({ headers: bearer(after) })).status).toBe(401);
    expect(running.output()).not.toContain(after);
  });

  it('fixes a refused API key: it is read again and the call is repeated, so that no user gets an error', async () => {
    const other = await startSimulatedDatabrain({ apiKeys: { 'sales-dashboard': nextApiKey }, embeds: 'any' });
    const running = await start(other);
    expect((await running.send({ headers: bearer(oldSecret) })).status).toBe(502);
    replaceFile(running, 'api-key', nextApiKey);
    expect((await running.send({ headers: bearer(oldSecret) })).status).toBe(200);
    await other.close();
  });
});
