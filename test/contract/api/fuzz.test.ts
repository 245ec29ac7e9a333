// Sends random requests to the running service: every response must be described, none may be a 5xx, and a minted token
// must have exactly the policy's request for the verified claims.
import fc from 'fast-check';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SimulatedDatabrain } from '../../../demo/databrain/start-simulated-databrain.ts';
import { anyCharacter } from '../../support/any-character.ts';
import { conformanceProblems } from './conformance.ts';
import { readDescription } from './description.ts';
import { parseResponses, startDatabrain } from './provocations.ts';
import {
  accessToken,
  allowedOrigin,
  apiKey,
  cookieName,
  startService,
  type RequestOptions,
  type RunningService,
} from './running-service.ts';

const description = readDescription();
const mintedBody = {
  clientId: 'acme',
  dataAppName: 'sales-dashboard',
  params: { userIdentifier: 'u1', allowedEmbeds: ['sales-overview'] },
  expiryTime: 3_600_000,
};

/** Methods that node:http can send, except CONNECT, which has no ordinary response. */
const method = fc.oneof(
  { weight: 6, arbitrary: fc.constant('POST') },
  fc.constantFrom(
    'GET',
    'HEAD',
    'OPTIONS',
    'PUT',
    'PATCH',
    'DELETE',
    'TRACE',
    'PROPFIND',
    'MKCOL',
    'QUERY',
    'M-SEARCH',
  ),
);

const knownPath = fc.constantFrom(
  '/guest-token',
  '/livez',
  '/readyz',
  '/healthz',
  '/openapi.yaml',
  '/guest-token.js',
  '/metrics',
  '/version',
  '/',
);
const oddPath = fc
  .array(
    fc.constantFrom(
      '/',
      'guest-token',
      '../..',
      '%2e',
      '%',
      '%zz',
      '%00',
      '%C3%28',
      ';a=b',
      '//',
      'é',
      '__proto__',
      ':',
      '*',
      '\\',
    ),
    { maxLength: 6 },
  )
  .map((parts) => `/${encodeURI(parts.join('')).replaceAll('%25', '%')}`);
const percentEncoded = (character: string): string => {
  const encoded = encodeURIComponent(character);
  return encoded === character ? `%${character.charCodeAt(0).toString(16)}` : encoded;
};
/** The characters of `fc.webQueryParameters()`, without the table of all characters that it prepares for seconds. */
const queryCharacter = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.constantFrom(..."abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+,;=:@/?"),
  },
  { weight: 1, arbitrary: anyCharacter.map(percentEncoded) },
);
const query = fc.oneof(
  fc.constant(''),
  fc.string({ unit: queryCharacter }).map((text) => `?${text}`),
  fc.constant('?access_token=x&dataApp=finance'),
);
const path = fc
  .tuple(fc.oneof({ weight: 6, arbitrary: fc.constant('/guest-token') }, knownPath, oddPath), query)
  .map(([first, second]) => `${first}${second}`);

const headerText = fc.string({
  unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
  maxLength: 60,
});
const bearer = (claims: Readonly<Record<string, unknown>> = {}): string => `Bearer ${accessToken(claims)}`;

const authorization = fc.oneof(
  { weight: 4, arbitrary: fc.constant(bearer()) },
  fc.constantFrom(
    bearer({ exp: 1 }),
    bearer({ email_verified: false }),
    bearer({ org_id: ['acme'] }),
    bearer({ org_id: 'None' }),
    bearer({ sub: '' }),
  ),
  fc.jsonValue().map((value) => bearer({ exp: value })),
  headerText,
  headerText.map((text) => `Bearer ${text}`),
);

const headers = fc
  .record(
    {
      authorization,
      'content-type': fc.oneof(
        { weight: 3, arbitrary: fc.constant('application/json') },
        fc.constantFrom('text/plain', 'application/json; charset=latin1', 'multipart/form-data', '*/*', ''),
        headerText,
      ),
      origin: fc.constantFrom(allowedOrigin, 'null', 'https://evil.example', `${allowedOrigin}.evil.example`),
      'x-request-id': fc.oneof(fc.constantFrom('abc', 'x'.repeat(200), 'a b'), headerText),
      cookie: fc.oneof(headerText, fc.constant(`${cookieName}=${accessToken()}`)),
      'sec-fetch-site': fc.constantFrom('same-origin', 'cross-site'),
      'x-forwarded-for': fc.constantFrom('1.2.3.4', 'junk'),
      'x-forwarded-host': headerText,
      'x-http-method-override': fc.constantFrom('POST', 'DELETE'),
      'content-encoding': fc.constantFrom('gzip', 'identity'),
      'access-control-request-method': fc.constantFrom('POST', 'PUT'),
      accept: fc.constantFrom('text/html', 'application/xml', ''),
      expect: fc.constantFrom('100-continue', 'the-worst'),
      'if-none-match': fc.constant('*'),
      range: fc.constant('bytes=0-1'),
    },
    { requiredKeys: [] },
  )
  .map((record) => Object.fromEntries(Object.entries(record).filter(([, value]) => typeof value === 'string')));

const body = fc.oneof(
  { weight: 3, arbitrary: fc.constant(undefined) },
  fc.constantFrom(
    '{}',
    '{"dataApp":"sales-dashboard"}',
    '{"dataApp":"finance"}',
    '{"__proto__":{"dataApp":"finance"}}',
    '{"dataApp":{"sql":"1"}}',
  ),
  fc.constantFrom(
    'null',
    '[]',
    '""',
    '{',
    '\uFEFF{}',
    '{"dataApp":"a","dataApp":"sales-dashboard"}',
    '{"clientId":"other"}',
  ),
  fc.json(),
  fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
  fc.integer({ min: 4000, max: 9000 }).map((length) => JSON.stringify({ dataApp: 'x'.repeat(length) })),
);

const request: fc.Arbitrary<RequestOptions> = fc
  .record({
    method,
    path,
    listener: fc.constantFrom('public' as const, 'public' as const, 'public' as const, 'admin' as const),
    headers,
    body,
  })
  .map(({ body: bytes, ...options }) => (bytes === undefined ? options : { ...options, body: bytes }));

describe('any request', () => {
  let databrain: SimulatedDatabrain;
  let service: RunningService;

  beforeAll(async () => {
    databrain = await startDatabrain();
    service = await startService({
      databrainUrl: databrain.url,
      settings: { RATE_LIMIT_USER_MAX: '1000000', RATE_LIMIT_ADDRESS_MAX: '1000000' },
    });
  });
  afterAll(async () => {
    await service.stop();
    await databrain.close();
  });

  it('gets a described response, never a 5xx, and never the API key', async () => {
    let minted = 0;
    await fc.assert(
      fc.asyncProperty(request, async (options) => {
        const response = await service.send(options);
        expect(conformanceProblems(description, response)).toEqual([]);
        expect(response.status).toBeLessThan(500);
        expect(response.body.includes(apiKey)).toBe(false);
        // Search for tokens everywhere: GET /guest-token.js answers 200 too, but without a token.
        if (response.body.startsWith('{"token":')) minted += 1;
      }),
      { numRuns: 1_500 },
    );
    expect(minted).toBeGreaterThan(10);
    expect(databrain.requests.filter(({ status }) => status === 200)).toHaveLength(minted);
  }, 60_000);

  it('mints only what the policy permits for the verified claims', () => {
    const bodies = new Set(databrain.requests.map(({ body: sent }) => JSON.stringify(sent)));
    expect([...bodies].map((text) => JSON.parse(text) as unknown)).toEqual([mintedBody]);
  });

  const line = fc.oneof(
    fc.constantFrom(
      'POST /guest-token HTTP/1.1',
      'GET /livez HTTP/1.0',
      'GET / HTTP/2.0',
      'GET / HTTP/0.9',
      'FOO / HTTP/1.1',
      'GET  / HTTP/1.1',
      'GET / HTTP/1.1x',
      '',
    ),
    headerText,
  );
  const field = fc.oneof(
    fc.constantFrom(
      'Host: a',
      'Host: b',
      'Content-Length: 5',
      'Content-Length: -1',
      'Content-Length: 5, 6',
      'Transfer-Encoding: chunked',
      'Transfer-Encoding: gzip, chunked',
      ' folded',
      'No colon',
      'Connection: upgrade',
      'Upgrade: h2c',
      `X: ${'y'.repeat(20_000)}`,
      'Expect: 100-continue',
    ),
    fc.tuple(headerText, headerText).map(([name, value]) => `${name}: ${value}`),
    fc.constant(`Authorization: ${bearer()}`),
  );
  const rest = fc.oneof(fc.constantFrom('', 'hello', '5\r\nhello\r\n0\r\n\r\n', 'zz\r\n', '{}'), headerText);

  it('that is not an HTTP request gets a described response or none', async () => {
    let answered = 0;
    await fc.assert(
      fc.asyncProperty(line, fc.array(field, { maxLength: 6 }), rest, async (first, fields, last) => {
        const text = await sendRaw(service.port, `${[first, ...fields].join('\r\n')}\r\n\r\n${last}`);
        const [verb = '', target = ''] = first.split(' ').filter((word) => word !== '');
        const responses = parseResponses(text.replace(/^HTTP\/1\.1 100 Continue\r\n\r\n/, ''), {
          method: verb,
          path: target,
        });
        expect(responses.flatMap((response) => conformanceProblems(description, response))).toEqual([]);
        expect(responses.filter(({ status }) => status >= 500 && status !== 505)).toEqual([]);
        answered += responses.length;
      }),
      { numRuns: 400 },
    );
    expect(answered).toBeGreaterThan(100);
  }, 60_000);
});

/** Returns the response, until the service closes the connection or sends nothing for a short time. */
function sendRaw(port: number, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.end(bytes));
    let text = '';
    const finish = (): void => {
      socket.destroy();
      resolve(text);
    };
    socket.setTimeout(250, finish);
    socket.on('data', (chunk) => (text += chunk.toString('utf8')));
    socket.on('error', finish);
    socket.on('close', finish);
  });
}
