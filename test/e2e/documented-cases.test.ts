// The statements of docs/blocking-a-user.md and docs/migrating.md, with the built program and the code of the pages.
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startSimulatedDatabrain, type SimulatedDatabrain } from '../../demo/databrain/start-simulated-databrain.ts';
import { programPath } from '../support/programs/program-path.ts';
import { startProgram, type Program } from '../support/programs/program.ts';
import { signToken } from '../support/sign-token.ts';
import { until } from '../support/until.ts';

const secret = 'the secret of the documented cases with at least 32 bytes';
const apiKey = '9b0a7f4e-54a5-4b0c-8a07-2b1c6a5f0e12';

/** The first block of that kind on a page. */
function blockOf(page: string, kind: string): string {
  const text = readFileSync(new URL(`../../docs/${page}`, import.meta.url), 'utf8');
  const [, block] = new RegExp(`^\`\`\`${kind}\\n(.*?)^\`\`\``, 'ms').exec(text) ?? [];
  if (block === undefined) throw new Error(`${page} has no block of ${kind}`);
  return block;
}

let databrain: SimulatedDatabrain;
let program: Program;

beforeAll(async () => {
  databrain = await startSimulatedDatabrain({ apiKeys: { 'sales-dashboard': apiKey }, embeds: 'any' });
  program = await startProgram({
    path: programPath(),
    env: {
      JWT_ISSUER: 'https://login.example.com',
      JWT_AUDIENCE: 'reports',
      JWT_SECRET: secret,
      DATABRAIN_API_URL: databrain.url,
      DATABRAIN_API_KEY: apiKey,
    },
    files: { 'policy.yaml': blockOf('blocking-a-user.md', 'yaml policy').replace('"user-17", ', '') },
  });
});
afterAll(async () => {
  await program.stop();
  await databrain.close();
});

/** The same for all tokens: a guest token that ends with the access token is reused only for the same end. */
const exp = Math.floor(Date.now() / 1000) + 600;

function send(sub: string, body?: string) {
  const claims = { iss: 'https://login.example.com', aud: 'reports', sub, org_id: 'acme', exp };
  const type = body === undefined ? {} : { 'content-type': 'application/json' };
  return program.send({
    headers: { authorization: `Bearer ${signToken('HS256', secret, claims)}`, ...type },
    ...(body !== undefined && { body }),
  });
}

describe('blocking a user', () => {
  it('takes effect with the next request, even if a token was kept for reuse, and for no other user', async () => {
    for (const sub of ['user-17', 'user-1']) expect((await send(sub)).status).toBe(200);
    const minted = databrain.requests.length;

    const file = join(program.folder, 'policy.yaml');
    writeFileSync(`${file}.new`, blockOf('blocking-a-user.md', 'yaml policy'));
    renameSync(`${file}.new`, file);
    program.signal('SIGHUP');
    await until(() => program.logged('policyReloaded').length > 0);

    const refused = await send('user-17');
    expect(refused.status).toBe(403);
    expect(JSON.parse(refused.text)).toMatchObject({
      error: { code: 'ACCESS_DENIED', message: 'Your access to the reports has been switched off.' },
    });
    expect((await send('user-1')).status).toBe(200);
    expect(databrain.requests.length).toBe(minted);
    const audit = program.lines().filter(({ event }) => event === 'guest_token.refused');
    expect(audit).toMatchObject([{ sub: 'user-17', code: 'ACCESS_DENIED', reason: 'validation_refused' }]);
  });
});

describe("the vendor's sample handler", () => {
  const wanted = JSON.stringify({ clientId: 'globex', dataAppName: 'sales-dashboard', params: {} });

  it('returns a token of another customer that never expires, to any caller', async () => {
    type Handler = (request: { body: unknown }, response: { json: (answer: unknown) => void }) => Promise<void>;
    const handlers: Handler[] = [];
    // The part of Express that the handler needs.
    runInNewContext(blockOf('migrating.md', 'js'), {
      app: { post: (_path: string, handler: Handler) => void handlers.push(handler) },
      process: { env: { DATABRAIN_API_KEY: apiKey } },
      fetch: (url: string, options: RequestInit) => fetch(`${databrain.url}${new URL(url).pathname}`, options),
    });
    const answers: unknown[] = [];
    await handlers[0]?.({ body: JSON.parse(wanted) as unknown }, { json: (answer) => void answers.push(answer) });
    expect(answers).toMatchObject([{ token: expect.stringMatching(/^[0-9a-f-]{36}$/) as string }]);
    const body = databrain.requests.at(-1)?.body;
    expect(body).toMatchObject({ clientId: 'globex' });
    expect(body).not.toHaveProperty('expiryTime');
  });

  it('differs from the proxy, which refuses the same request and mints nothing', async () => {
    const before = databrain.requests.length;
    expect(await send('user-1', wanted)).toMatchObject({ status: 400 });
    expect(databrain.requests.length).toBe(before);
  });
});
