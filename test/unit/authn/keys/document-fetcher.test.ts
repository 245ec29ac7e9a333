import { createServer, type IncomingHttpHeaders } from 'node:http';
import { createSecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { isFailedFetch } from '../../../../src/authn/keys/key-set-failure.ts';
import { createDocumentFetcher, type FetchedDocument } from '../../../../src/authn/keys/document-fetcher.ts';
import { directly } from '../../../support/servers/authn-server.ts';
import { selfSigned } from '../../../support/self-signed.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** Fetches from a server that answers with these headers; also returns the request headers. */
async function fetchWith(
  headers: Record<string, string | string[]>,
): Promise<FetchedDocument & { readonly requestHeaders: IncomingHttpHeaders }> {
  let requestHeaders: IncomingHttpHeaders = {};
  const server = createServer((request, response) => {
    requestHeaders = request.headers;
    response.writeHead(200, headers).end('{"keys":[]}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const fetcher = createDocumentFetcher({
    createAgent: directly.createAgent,
    connectTimeoutMs: 1_000,
    maxBytes: 1_000,
  });
  closing.push(async () => {
    await fetcher.close();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const fetched = await fetcher.fetch(`http://127.0.0.1:${port}/jwks`, AbortSignal.timeout(5_000));
  if (isFailedFetch(fetched)) throw new Error(`the document was not fetched (${fetched.failure})`);
  return { ...fetched, requestHeaders };
}

describe('a document fetched from an issuer', () => {
  it.each<readonly [Record<string, string | string[]>, number | undefined]>([
    [{}, undefined],
    [{ age: '100' }, undefined],
    [{ 'cache-control': 'max-age=600' }, 600_000],
    [{ 'cache-control': 'max-age=600', age: '100' }, 500_000],
    [{ 'cache-control': 'max-age=600', age: '601' }, 0],
    [{ 'cache-control': 'max-age=600', age: 'x' }, 600_000],
    [{ 'cache-control': ['public', 'max-age=60'] }, 60_000],
    [{ 'cache-control': 'no-store, max-age=600' }, 0],
  ])('may be cached as its headers say: %j, %j ms', async (headers, maxAgeMs) => {
    const fetched = await fetchWith(headers);
    expect(fetched.document).toEqual({ keys: [] });
    expect(fetched.maxAgeMs).toBe(maxAgeMs);
  });

  it('is requested as JSON, by host name, without credentials', async () => {
    const { requestHeaders } = await fetchWith({});
    expect(requestHeaders).toMatchObject({
      accept: 'application/json, application/jwk-set+json',
      'accept-encoding': 'identity',
      'user-agent': 'guest-token-proxy',
    });
    expect(Object.keys(requestHeaders).sort()).toEqual([
      'accept',
      'accept-encoding',
      'connection',
      'host',
      'user-agent',
    ]);
  });
});

describe('an issuer behind TLS', () => {
  /** A server with HTTP/2 and HTTP/1.1 that records the version of each request. */
  async function startTls(): Promise<{ url: string; versions: string[] }> {
    const versions: string[] = [];
    const server = createSecureServer({ ...selfSigned, allowHTTP1: true }, (request, response) => {
      versions.push(request.httpVersion);
      response.end('{"keys":[]}');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closing.push(async () => void server.close());
    return {
      url: `https://localhost:${(server.address() as AddressInfo).port}/jwks`,
      versions,
    };
  }
  const fetcher = () => {
    const created = createDocumentFetcher({
      createAgent: directly.createAgent,
      connectTimeoutMs: 1_000,
      maxBytes: 1_000,
    });
    closing.push(created.close);
    return created;
  };

  it('is refused without a trusted certificate, even if Node’s verification is disabled', async () => {
    const { url, versions } = await startTls();
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    try {
      expect(await fetcher().fetch(url, AbortSignal.timeout(5_000))).toMatchObject({
        failure: 'unreachable',
        detail: { errorCode: 'DEPTH_ZERO_SELF_SIGNED_CERT' },
      });
    } finally {
      vi.unstubAllEnvs();
    }
    expect(versions).toEqual([]);
  });

  it('is called over HTTP/1.1, even if it offers HTTP/2', async () => {
    const { url, versions } = await startTls();
    const { setDefaultCACertificates, getCACertificates } = await import('node:tls');
    const before = getCACertificates('default');
    setDefaultCACertificates([...before, selfSigned.cert]);
    try {
      const fetched = await fetcher().fetch(url, AbortSignal.timeout(5_000));
      expect(fetched).toMatchObject({ document: { keys: [] } });
    } finally {
      setDefaultCACertificates(before);
    }
    expect(versions).toEqual(['1.1']);
  });
});
