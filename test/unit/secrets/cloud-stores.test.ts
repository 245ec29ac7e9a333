// The cloud providers' stores with their own libraries, and simulated servers that answer as documented.
// .ci/secret-stores tests AWS with moto, which implements more.
import { generateKeyPairSync } from 'node:crypto';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { createEgress } from '../../../src/egress/egress.ts';
import { createSettingReader } from '../../../src/config/setting-reader.ts';
import type { Problem } from '../../../src/problem.ts';
import { awsStoreKind } from '../../../src/secrets/aws-store.ts';
import { createAzureStoreKind } from '../../../src/secrets/azure-store.ts';
import { loadLibrary } from '../../../src/secrets/cloud-call.ts';
import { createGcpStoreKind } from '../../../src/secrets/gcp-store.ts';
import type { SecretStore, SecretStoreKind } from '../../../src/secrets/secret-store.ts';
import type { SecretRead } from '../../../src/secrets/secret-setting.ts';
import { startScriptedProxy } from '../../support/servers/forward-proxy.ts';
import { selfSigned } from '../../support/self-signed.ts';
import { sentenceOf } from '../../support/sentences/name-sentence.ts';

type Respond = (
  request: IncomingMessage,
  body: string,
) => { status: number; body: unknown; headers?: Record<string, string> };

const apiKey = '0f0e7d2b-9c3a-4c6f-8a8a-3f5a9d1b7c21';
const document = JSON.stringify({ 'api-key': apiKey, count: 5 });
/** The libraries repeat it in their messages; our messages must not contain it. */
const upstreamText = 'a sentence of the provider that repeats its input';

let respond: Respond;
const seen: string[] = [];
const listener = (request: IncomingMessage, response: ServerResponse): void => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const text = Buffer.concat(chunks).toString('utf8');
    seen.push(`${request.method ?? ''} ${request.url ?? ''} ${text}`);
    const { status, body, headers = {} } = respond(request, text);
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
  });
};
const plain = createHttpServer(listener);
const secure = createHttpsServer(selfSigned, listener);
const portOf = (server: typeof plain): number => (server.address() as AddressInfo).port;
const environment = new Map<string, string | undefined>();

function setEnvironment(values: Record<string, string>): void {
  for (const [name, value] of Object.entries(values)) {
    environment.set(name, process.env[name]);
    process.env[name] = value;
  }
}

beforeAll(async () => {
  for (const server of [plain, secure])
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
});
afterEach(() => {
  for (const [name, value] of environment) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  environment.clear();
  seen.length = 0;
});
afterAll(() => {
  for (const server of [plain, secure]) server.close();
});

async function read(kind: SecretStoreKind, reference: string, env: Record<string, string> = {}): Promise<SecretRead> {
  const problems: Problem[] = [];
  let store: SecretStore | undefined;
  try {
    store = await kind.open({
      settings: createSettingReader(env, () => Buffer.alloc(0), problems),
      readFile: () => Promise.reject(new Error('no files')),
      egress: createEgress({ https: undefined, http: undefined, noProxy: '' }),
      clock: systemClock,
      random: Math.random,
      onEvent: () => undefined,
      report: (problem, fix) => void problems.push({ location: '', problem, fix }),
    });
    if (store === undefined) throw new Error(JSON.stringify(problems));
    const result = await store.read(reference);
    expect(JSON.stringify(result)).not.toContain(upstreamText);
    return result;
  } finally {
    await store?.close();
  }
}

const revealed = (result: SecretRead): unknown => (result.kind === 'read' ? result.value.reveal() : result);

describe('AWS Secrets Manager', () => {
  const readSecret = (reference: string, env: Record<string, string> = {}): Promise<SecretRead> => {
    setEnvironment({
      AWS_REGION: 'eu-central-1',
      AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
      AWS_SECRET_ACCESS_KEY: 'example',
      AWS_ENDPOINT_URL_SECRETS_MANAGER: `http://127.0.0.1:${portOf(plain)}`,
    });
    return read(awsStoreKind, reference, env);
  };
  const refusal = (status: number, type: string): void => {
    respond = () => ({ status, body: { __type: type, Message: upstreamText } });
  };

  it('returns a whole secret, and a field of one', async () => {
    respond = (_request, body) => ({ status: 200, body: { SecretString: body.includes('plain') ? apiKey : document } });
    expect(revealed(await readSecret('prod/plain'))).toBe(apiKey);
    expect(revealed(await readSecret('prod/app#api-key'))).toBe(apiKey);
    expect(await readSecret('prod/app#other')).toMatchObject({ kind: 'refused' });
    expect(await readSecret('prod/app#count')).toMatchObject({ kind: 'refused' });
    expect(await readSecret('prod/plain#api-key')).toMatchObject({
      kind: 'refused',
      problem: sentenceOf('secretNotJson'),
    });
  });

  it('is called in the region of an ARN', async () => {
    let authorization = '';
    respond = (request) => {
      authorization = request.headers.authorization ?? '';
      return { status: 200, body: { SecretString: apiKey } };
    };
    await readSecret('arn:aws:secretsmanager:us-west-2:123456789012:secret:prod/app-AbCdEf');
    expect(authorization).toContain('/us-west-2/secretsmanager/');
  });

  it.each([
    [400, 'ResourceNotFoundException', 'refused'],
    [400, 'AccessDeniedException', 'refused'],
    [400, 'InvalidRequestException', 'refused'],
    [400, 'ExpiredTokenException', 'unavailable'],
    [400, 'UnrecognizedClientException', 'unavailable'],
    [400, 'ThrottlingException', 'unavailable'],
    [500, 'InternalServiceError', 'unavailable'],
    [503, 'ServiceUnavailable', 'unavailable'],
  ])('with the response %i %s causes the problem %s', async (status, type, kind) => {
    refusal(status, type);
    const result = await readSecret('prod/app');
    expect(result.kind).toBe(kind);
    expect(result.kind === 'read' ? '' : result.problem).toContain(`(${type})`);
  });

  it('is called through the egress proxy, except for hosts in NO_PROXY', async () => {
    const proxy = await startScriptedProxy();
    respond = () => ({ status: 200, body: { SecretString: apiKey } });
    expect((await readSecret('prod/app', { HTTP_PROXY: proxy.url })).kind).toBe('unavailable');
    expect(proxy.requests[0]).toBe(`POST http://127.0.0.1:${portOf(plain)}/`);
    expect(seen).toEqual([]);
    expect((await readSecret('prod/app', { HTTP_PROXY: proxy.url, NO_PROXY: '127.0.0.1' })).kind).toBe('read');
    await proxy.close();
  });

  it('is not used with an unencrypted endpoint', async () => {
    const env = { AWS_ENDPOINT_URL: 'http://secrets.internal' };
    await expect(read(awsStoreKind, 'prod/app', env)).rejects.toThrow(/AWS_ENDPOINT_URL.*not https/);
  });
});

describe('Google Secret Manager', () => {
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const readSecret = (reference: string): Promise<SecretRead> =>
    read(
      createGcpStoreKind({
        fallback: true,
        protocol: 'http',
        apiEndpoint: '127.0.0.1',
        port: portOf(plain),
        projectId: 'p',
        credentials: { client_email: 'proxy@p.iam.gserviceaccount.com', private_key: privateKey },
      }),
      reference,
    );

  it('returns the latest version, a named version, and a field of one', async () => {
    respond = (request) => {
      const data = Buffer.from(request.url?.includes('/versions/7') === true ? apiKey : document).toString('base64');
      return { status: 200, body: { name: 'projects/p/secrets/app/versions/7', payload: { data } } };
    };
    expect(revealed(await readSecret('projects/p/secrets/app#api-key'))).toBe(apiKey);
    expect(revealed(await readSecret('projects/p/secrets/app/versions/7'))).toBe(apiKey);
    expect(seen.map((line) => /versions\/\w+:access/.exec(line)?.[0])).toEqual([
      'versions/latest:access',
      'versions/7:access',
    ]);
  });

  it.each([
    [404, 'NOT_FOUND', 'refused'],
    [403, 'PERMISSION_DENIED', 'refused'],
    [400, 'FAILED_PRECONDITION', 'refused'],
    [401, 'UNAUTHENTICATED', 'unavailable'],
    [429, 'RESOURCE_EXHAUSTED', 'unavailable'],
    [503, 'UNAVAILABLE', 'unavailable'],
  ])('with the response %i %s causes the problem %s', async (status, name, kind) => {
    respond = () => ({ status, body: { error: { code: status, message: upstreamText, status: name } } });
    expect((await readSecret('projects/p/secrets/app')).kind).toBe(kind);
  });
});

describe('Azure Key Vault', () => {
  const challenge =
    'Bearer authorization="https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47", resource="https://vault.azure.net"';
  const readSecret = (path: string): Promise<SecretRead> => {
    setEnvironment({ IDENTITY_ENDPOINT: `http://127.0.0.1:${portOf(plain)}/identity`, IDENTITY_HEADER: 'example' });
    // The library checks the names of Azure's own vaults.
    const options = { disableChallengeResourceVerification: true, tlsOptions: { ca: selfSigned.cert } };
    return read(createAzureStoreKind(options), `https://localhost:${portOf(secure)}/secrets/${path}`);
  };
  const vault = (respondWithSecret: Respond): void => {
    respond = (request, body) => {
      if (request.url?.startsWith('/identity') === true) {
        const expires = Math.floor(Date.now() / 1000) + 3_600;
        return { status: 200, body: { access_token: 'example', expires_on: expires, token_type: 'Bearer' } };
      }
      if (request.headers.authorization === undefined)
        return { status: 401, body: {}, headers: { 'www-authenticate': challenge } };
      return respondWithSecret(request, body);
    };
  };

  it('returns the latest version, a named version, and a field of one', async () => {
    const id = 'https://localhost/secrets/app/0123456789abcdef0123456789abcdef';
    vault((request) => ({
      status: 200,
      body: { id, attributes: { enabled: true }, value: request.url?.includes('0123') === true ? apiKey : document },
    }));
    expect(revealed(await readSecret('app#api-key'))).toBe(apiKey);
    expect(revealed(await readSecret('app/0123456789abcdef0123456789abcdef'))).toBe(apiKey);
  });

  it.each([
    [404, 'SecretNotFound', 'refused'],
    [403, 'Forbidden', 'refused'],
    [400, 'BadParameter', 'refused'],
    [429, 'Throttled', 'unavailable'],
    [503, 'ServiceUnavailable', 'unavailable'],
  ])('with the response %i %s causes the problem %s', async (status, code, kind) => {
    vault(() => ({ status, body: { error: { code, message: upstreamText } } }));
    const result = await readSecret('app');
    expect(result.kind).toBe(kind);
    expect(result.kind === 'read' ? '' : result.problem).toContain(code);
  });
});

describe('a reference', () => {
  it.each<[SecretStoreKind, string, boolean]>([
    [awsStoreKind, 'prod/app', true],
    [awsStoreKind, 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:prod/app-AbCdEf#api-key', true],
    [awsStoreKind, 'arn:aws:s3:::bucket', false],
    [awsStoreKind, 'prod/app#', false],
    [awsStoreKind, '#field', false],
    [createGcpStoreKind(), 'projects/p/secrets/app', true],
    [createGcpStoreKind(), 'projects/p/secrets/app/versions/latest#api-key', true],
    [createGcpStoreKind(), 'projects/p/locations/europe-west3/secrets/app', true],
    [createGcpStoreKind(), 'projects/p/secrets/../x', false],
    [createGcpStoreKind(), 'app', false],
    [createAzureStoreKind(), 'https://v.vault.azure.net/secrets/app', true],
    [createAzureStoreKind(), 'https://v.vault.azure.net/secrets/app/0123456789abcdef0123456789abcdef#x', true],
    [createAzureStoreKind(), 'http://v.vault.azure.net/secrets/app', false],
    [createAzureStoreKind(), 'https://v.vault.azure.net/keys/app', false],
  ])('of %o: %s', (kind, reference, isRight) => {
    expect(kind.problemOf(reference) === undefined).toBe(isRight);
  });
});

describe('a library of a provider', () => {
  const load = async (library: Promise<object>, env: Record<string, string> = {}): Promise<readonly Problem[]> => {
    const problems: Problem[] = [];
    const loaded = await loadLibrary('@cloud/secrets', () => library, {
      settings: createSettingReader(env, () => Buffer.alloc(0), problems),
      report: (problem, fix) => void problems.push({ location: 'DATABRAIN_API_KEY_AWS_SECRET', problem, fix }),
    });
    expect(loaded === undefined).toBe(problems.length > 0);
    return problems;
  };

  it('that is not installed is reported with the command that installs it', async () => {
    const missing = Object.assign(new Error('no'), { code: 'ERR_MODULE_NOT_FOUND' });
    expect(await load(Promise.reject(missing))).toEqual([
      {
        location: 'DATABRAIN_API_KEY_AWS_SECRET',
        problem: sentenceOf('packageMissing', '@cloud/secrets'),
        fix: 'Run npm install @cloud/secrets in the folder of the service',
      },
    ]);
  });

  it('is not used if the environment disables the verification of certificates', async () => {
    const problems = await load(Promise.resolve({}), { NODE_TLS_REJECT_UNAUTHORIZED: '0' });
    expect(problems.map(({ location }) => location)).toEqual(['NODE_TLS_REJECT_UNAUTHORIZED']);
  });
});
