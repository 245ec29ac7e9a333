// Every refusal, on the built program over real sockets, with the same four checks: status and code; nothing reached
// the upstream; one audit line with its reason; no secret in any response or log line.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startSimulatedDatabrain, type SimulatedDatabrain } from '../../../demo/databrain/start-simulated-databrain.ts';
import { errorRow, type ErrorCode } from '../../../src/errors.ts';
import type { Reason } from '../../../src/refusal-reasons.ts';
import { auditLineProblems } from '../../support/audit-lines.ts';
import { hostileTokens, overHttp } from '../../support/hostile-tokens.ts';
import { programPath } from '../../support/programs/program-path.ts';
import {
  startProgram,
  type ProgramResponse,
  type RequestOptions,
  type LogLine,
  type Program,
} from '../../support/programs/program.ts';
import { createTokenIssuers } from '../../support/servers/token-issuers.ts';

const apiKey = 'c2d4e8a0-3f61-4b7d-8a55-0d9c7e1f2b34';
const claimValue = 'a-claim-value-that-must-stay-inside';
const issuers = createTokenIssuers();

const policy = `
version: 1
dataApps:
  sales-dashboard:
    default: true
    validations:
      - expression: claims.role != "banned"
        message: Your account is suspended.
    expiresIn: 1h
    request:
      clientId: \${claims.org_id}
      params:
        userIdentifier: \${claims.sub}
        allowedEmbeds: [sales-overview]
        appFilters:
          - metricId: revenue
            values: { country: "\${claims.country}" }
`;

const usual = { role: 'viewer', country: 'DE', private_note: claimValue };
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const json = { 'content-type': 'application/json' };
const allowedOrigin = 'https://app.example.com';

let databrain: SimulatedDatabrain;
let program: Program;
let seen: number;
let written: number;

beforeAll(async () => {
  databrain = await startSimulatedDatabrain({ apiKeys: { 'sales-dashboard': apiKey }, embeds: 'any' });
  program = await startProgram({
    path: programPath(),
    env: {
      JWT_ISSUERS_FILE: 'issuers.yaml',
      JWT_COOKIE_NAME: 'access',
      CORS_ORIGINS: allowedOrigin,
      DATABRAIN_API_URL: databrain.url,
      DATABRAIN_API_KEY: apiKey,
      POLICY_FILE: 'policy.yaml',
      RATE_LIMIT_ADDRESS_MAX: '100000',
      LOG_LEVEL: 'trace',
    },
    files: { 'issuers.yaml': issuers.yaml, 'policy.yaml': policy },
  });
});
afterAll(async () => {
  expect(await program.stop()).toBe(0);
  await databrain.close();
});

beforeEach(() => {
  seen = databrain.requests.length;
  written = program.output().length;
});

async function auditLines(requestId: string): Promise<readonly LogLine[]> {
  const find = () => program.lines().filter((line) => line.requestId === requestId && line.event !== undefined);
  for (let i = 0; i < 100 && find().length === 0; i += 1) await new Promise((done) => setTimeout(done, 5));
  return find();
}

const secretsOf = (options: RequestOptions): readonly string[] => {
  const token = /Bearer (.*)|access=(.*)/.exec(JSON.stringify(options.headers ?? {}).replaceAll('"', ''));
  const segments = (token?.[1] ?? token?.[2] ?? '').split(/[.,}]/).filter((part) => part.length > 12);
  return [...segments, apiKey, claimValue, issuers.keys.secret];
};

async function expectRefusal(
  options: RequestOptions,
  code: ErrorCode,
  reason: Reason,
): Promise<{ response: ProgramResponse; line: LogLine }> {
  const response = await program.send(options);
  const { status, message, challenge } = errorRow(code);
  const { error } = JSON.parse(response.text) as { error: { code: string; message: string; requestId: string } };
  expect({ status: response.status, code: error.code }).toEqual({ status, code });
  expect([message, 'Your account is suspended.']).toContain(error.message);
  expect(Object.keys(error).sort()).toEqual(['code', 'message', 'requestId']);
  expect(response.headers['x-request-id']).toBe(error.requestId);
  expect(response.headers['cache-control']).toBe('no-store');
  const wanted = challenge === undefined ? undefined : challenge === 'bare' ? 'Bearer' : 'Bearer error="invalid_token"';
  expect(response.headers['www-authenticate']).toBe(wanted);

  expect(databrain.requests.length).toBe(seen);

  const lines = await auditLines(error.requestId);
  expect(lines).toHaveLength(1);
  const [line] = lines;
  expect(line).toMatchObject({ event: 'guest_token.refused', code, reason });
  expect(auditLineProblems(line ?? {})).toEqual([]);

  const visible = program.output().slice(written) + response.text + JSON.stringify(response.headers);
  for (const secret of secretsOf(options)) expect(visible).not.toContain(secret);
  return { response, line: line as LogLine };
}

describe('an invalid request', () => {
  const good = () => bearer(issuers.token('hmac', usual));
  const cases: readonly (readonly [string, () => RequestOptions, ErrorCode, Reason])[] = [
    ['without credentials', () => ({}), 'AUTHENTICATION_REQUIRED', 'credentials_missing'],
    [
      'with another scheme',
      () => ({ headers: { authorization: 'Basic dTpw' } }),
      'AUTHENTICATION_REQUIRED',
      'credentials_malformed',
    ],
    [
      'with a bearer value that is not a token',
      () => ({ headers: { authorization: 'Bearer a b' } }),
      'INVALID_TOKEN',
      'credentials_malformed',
    ],
    [
      'with two Authorization lines',
      () => ({ headers: { authorization: [good().authorization, good().authorization] } }),
      'INVALID_REQUEST',
      'credentials_ambiguous',
    ],
    [
      'with header and cookie',
      () => ({ headers: { ...good(), cookie: 'access=x', origin: allowedOrigin } }),
      'INVALID_REQUEST',
      'credentials_ambiguous',
    ],
    [
      'with a cookie from another origin',
      () => ({ headers: { cookie: `access=${issuers.token('hmac', usual)}`, origin: 'https://evil.example' } }),
      'ORIGIN_NOT_ALLOWED',
      'origin_refused',
    ],
    [
      'with a cookie and no origin',
      () => ({ headers: { cookie: `access=${issuers.token('hmac', usual)}` } }),
      'ORIGIN_NOT_ALLOWED',
      'origin_refused',
    ],
    [
      'with a cookie and the null origin',
      () => ({ headers: { cookie: `access=${issuers.token('hmac', usual)}`, origin: 'null' } }),
      'ORIGIN_NOT_ALLOWED',
      'origin_refused',
    ],
    [
      'with malformed JSON',
      () => ({ headers: { ...good(), ...json }, body: '{"dataApp":' }),
      'INVALID_REQUEST',
      'body_malformed',
    ],
    [
      'with an unknown member',
      () => ({ headers: { ...good(), ...json }, body: '{"clientId":"other"}' }),
      'INVALID_REQUEST',
      'body_malformed',
    ],
    [
      'with __proto__',
      () => ({ headers: { ...good(), ...json }, body: '{"__proto__":{"dataApp":"x"}}' }),
      'INVALID_REQUEST',
      'body_malformed',
    ],
    [
      'with constructor',
      () => ({ headers: { ...good(), ...json }, body: '{"constructor":{"prototype":{}}}' }),
      'INVALID_REQUEST',
      'body_malformed',
    ],
    [
      'with a repeated member',
      () => ({ headers: { ...good(), ...json }, body: '{"dataApp":"sales-dashboard","dataApp":"sales-dashboard"}' }),
      'INVALID_REQUEST',
      'body_malformed',
    ],
    [
      'with a number as data app',
      () => ({ headers: { ...good(), ...json }, body: '{"dataApp":42}' }),
      'INVALID_REQUEST',
      'body_malformed',
    ],
    [
      'with a list as body',
      () => ({ headers: { ...good(), ...json }, body: '[]' }),
      'INVALID_REQUEST',
      'body_malformed',
    ],
    [
      'with null as body',
      () => ({ headers: { ...good(), ...json }, body: 'null' }),
      'INVALID_REQUEST',
      'body_malformed',
    ],
    [
      'with invalid UTF-8',
      () => ({ headers: { ...good(), ...json }, body: Buffer.from('7b2264617461417070223a22ff227d', 'hex') }),
      'INVALID_REQUEST',
      'body_malformed',
    ],
    [
      'with a byte order mark',
      () => ({ headers: { ...good(), ...json }, body: '\uFEFF{}' }),
      'INVALID_REQUEST',
      'body_malformed',
    ],
    [
      'with text',
      () => ({ headers: { ...good(), 'content-type': 'text/plain' }, body: '{}' }),
      'UNSUPPORTED_MEDIA_TYPE',
      'media_type',
    ],
    ['with a body and no type', () => ({ headers: good(), body: '{}' }), 'UNSUPPORTED_MEDIA_TYPE', 'media_type'],
    [
      'with a form',
      () => ({ headers: { ...good(), 'content-type': 'application/x-www-form-urlencoded' }, body: 'dataApp=x' }),
      'UNSUPPORTED_MEDIA_TYPE',
      'media_type',
    ],
    [
      'with more than 4 KiB',
      () => ({ headers: { ...good(), ...json }, body: JSON.stringify({ dataApp: 'x'.repeat(4096) }) }),
      'BODY_TOO_LARGE',
      'body_too_large',
    ],
    ['by GET', () => ({ method: 'GET', headers: good() }), 'METHOD_NOT_ALLOWED', 'method'],
    ['by PUT', () => ({ method: 'PUT', headers: good() }), 'METHOD_NOT_ALLOWED', 'method'],
  ];
  it.each(cases)('%s', async (_title, options, code, reason) => {
    const { response } = await expectRefusal(options(), code, reason);
    if (code === 'METHOD_NOT_ALLOWED') expect(response.headers['allow']).toBe('POST, OPTIONS');
  });
});

describe('a user without access', () => {
  const cases: readonly (readonly [
    string,
    Record<string, unknown>,
    string | undefined,
    ErrorCode,
    Reason,
    string | undefined,
  ])[] = [
    ['whom a validation refuses', { role: 'banned' }, undefined, 'ACCESS_DENIED', 'validation_refused', undefined],
    ['without the claim of a validation', { role: undefined }, undefined, 'ACCESS_DENIED', 'expression_failed', 'role'],
    [
      'without the claim of the tenant',
      { org_id: undefined },
      undefined,
      'ACCESS_DENIED',
      'expression_failed',
      'org_id',
    ],
    ['whose tenant is "None"', { org_id: 'None' }, undefined, 'ACCESS_DENIED', 'client_id_refused', 'org_id'],
    ['whose tenant is SQL', { org_id: "x' OR 1=1 --" }, undefined, 'ACCESS_DENIED', 'client_id_refused', 'org_id'],
    ['whose tenant is a number', { org_id: 7 }, undefined, 'ACCESS_DENIED', 'client_id_refused', 'org_id'],
    ['whose filter value is empty', { country: '' }, undefined, 'ACCESS_DENIED', 'filter_value_refused', 'country'],
    [
      'whose filter value is SQL',
      { country: "DE'; DROP TABLE x; --" },
      undefined,
      'ACCESS_DENIED',
      'filter_value_refused',
      'country',
    ],
    [
      'whose filter value is an object',
      { country: { sql: 'SELECT 1', columnName: 'x' } },
      undefined,
      'ACCESS_DENIED',
      'filter_value_refused',
      'country',
    ],
    ['who names an unknown data app', {}, 'payroll', 'DATA_APP_NOT_ALLOWED', 'data_app_unknown', undefined],
    ['who names __proto__', {}, '__proto__', 'DATA_APP_NOT_ALLOWED', 'data_app_unknown', undefined],
  ];
  it.each(cases)('%s', async (_title, claims, dataApp, code, reason, claim) => {
    const token = issuers.token('hmac', { ...usual, ...claims });
    const { line } = await expectRefusal(
      dataApp === undefined
        ? { headers: bearer(token) }
        : { headers: { ...bearer(token), ...json }, body: JSON.stringify({ dataApp }) },
      code,
      reason,
    );
    expect(line).toMatchObject({ iss: 'https://hmac.example', sub: 'user-1' });
    // The data app, if the policy has it; never the text of the caller.
    expect(line['dataApp']).toBe(dataApp === undefined ? 'sales-dashboard' : undefined);
    if (claim !== undefined) expect(line['claim']).toBe(claim);
  });

  it('gets the message in the policy, and nothing else', async () => {
    const token = issuers.token('hmac', { ...usual, role: 'banned' });
    const { response } = await expectRefusal({ headers: bearer(token) }, 'ACCESS_DENIED', 'validation_refused');
    expect(JSON.parse(response.text)).toMatchObject({ error: { message: 'Your account is suspended.' } });
  });
});

describe('a hostile token', () => {
  const sendable = hostileTokens(issuers)
    .map(overHttp)
    .filter((hostile) => hostile !== undefined);
  it.each(sendable)('$title', async ({ token, code, reason }) => {
    await expectRefusal({ headers: bearer(token) }, code, reason);
  });
});

describe('a duration in the log', () => {
  it('has at most three decimals', () => {
    const durations = program
      .lines()
      .flatMap((line) => Object.entries(line))
      .filter(([name]) => name.endsWith('Ms'));
    expect(durations.length).toBeGreaterThan(50);
    expect(durations.filter(([, value]) => !/^\d+(\.\d{1,3})?$/.test(String(value)))).toEqual([]);
  });
});

describe('a valid token', () => {
  afterEach(() => expect(program.output()).not.toContain(claimValue));

  it('causes a guest token, one audit line with its hash, and the body of the policy at Databrain', async () => {
    const token = issuers.token('hmac', usual);
    const response = await program.send({ headers: { ...bearer(token), 'x-request-id': 'the-good-one' } });
    expect(response.status).toBe(200);
    const body = JSON.parse(response.text) as { token: string };
    expect(Object.keys(body)).toEqual(['token']);
    expect(response.headers).toMatchObject({
      'cache-control': 'no-store',
      'guest-token-expires-in': expect.stringMatching(/^(3600|359\d)$/) as string,
      'guest-token-grant': expect.stringMatching(/^[\w-]{22}$/) as string,
      'x-request-id': 'the-good-one',
    });
    expect(databrain.requests.slice(seen).map((request) => request.body)).toEqual([
      {
        clientId: 'acme',
        dataAppName: 'sales-dashboard',
        params: {
          userIdentifier: 'user-1',
          allowedEmbeds: ['sales-overview'],
          appFilters: [{ metricId: 'revenue', values: { country: 'DE' } }],
        },
        expiryTime: 3_600_000,
      },
    ]);
    const lines = await auditLines('the-good-one');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({
      event: 'guest_token.issued',
      iss: 'https://hmac.example',
      sub: 'user-1',
      clientId: 'acme',
      dataApp: 'sales-dashboard',
      reused: false,
    });
    expect(lines[0]?.['tokenSha256']).toMatch(/^[0-9a-f]{16}$/);
    const log = program.output();
    for (const secret of [body.token, token, apiKey, claimValue]) expect(log).not.toContain(secret);
  });

  it('has the same result whatever query, other headers, cookies or forwarded addresses there are', async () => {
    const token = issuers.token('hmac', { ...usual, sub: 'user-2' });
    const response = await program.send({
      path: '/guest-token?clientId=evil&dataApp=payroll&access_token=x',
      headers: {
        ...bearer(token),
        'x-client-id': 'evil',
        'x-forwarded-host': 'evil.example',
        cookie: 'clientId=evil',
        ...json,
      },
      body: '',
    });
    expect(response.status).toBe(200);
    expect(JSON.stringify(databrain.requests.slice(seen))).not.toContain('evil');
    expect(databrain.requests.slice(seen)[0]?.body).toMatchObject({
      clientId: 'acme',
      params: { userIdentifier: 'user-2' },
    });
  });
});
