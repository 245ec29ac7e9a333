// A server with the part of Vault's documented HTTP API that the service uses, with its error forms: KV of both
// versions, an engine with leases, tokens with a lifetime and a maximum lifetime, AppRole, Kubernetes and JWT logins.
// For situations that a real server cannot create quickly, and for machines without one.
import { randomUUID } from 'node:crypto';
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';

interface Pem {
  readonly cert: string;
  readonly key: string;
}

interface TokenTerms {
  /** The lifetime of a new or renewed token; 0: forever. */
  readonly ttlSeconds: number;
  /** The maximum lifetime of the token; 0: none. */
  readonly maxTtlSeconds?: number;
  readonly renewable?: boolean;
  /** API paths (without `/v1/`) that it may read; a `*` at the end matches all below. */
  readonly mayRead: readonly string[];
}

interface IssuedToken extends TokenTerms {
  readonly createdAt: number;
  expires: number;
}

interface KvMount {
  readonly type: 'kv1' | 'kv2';
  readonly data: Map<string, Record<string, unknown> | 'deleted'>;
}

interface LeasedMount {
  readonly type: 'leased';
  readonly lease: { readonly seconds: number; readonly maxSeconds: number };
}

export interface SeenRequest {
  readonly method: string;
  /** Without `/v1/`. */
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Readonly<Record<string, unknown>>;
}

type Override = (request: SeenRequest, response: ServerResponse) => boolean;

const json = (response: ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
};

const refuse = (response: ServerResponse, status: number, ...errors: string[]): void =>
  json(response, status, { errors });

const envelope = (part: Record<string, unknown>): Record<string, unknown> => ({
  request_id: randomUUID(),
  lease_id: '',
  renewable: false,
  lease_duration: 0,
  data: null,
  wrap_info: null,
  warnings: null,
  auth: null,
  ...part,
});

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString('utf8');
  return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
}

export async function startVaultStandIn({ tls, namespace }: { tls?: Pem; namespace?: string } = {}) {
  const mounts = new Map<string, KvMount | LeasedMount>();
  const tokens = new Map<string, IssuedToken>();
  const logins = new Map<string, { readonly accepts: Record<string, string>; readonly terms: TokenTerms }>();
  const leases = new Map<string, { readonly ends: number; readonly seconds: number }>();
  const requests: SeenRequest[] = [];
  const state = { sealed: false, mountsMayBeListed: true };
  let override: Override | undefined;

  const issue = (terms: TokenTerms, token = `hvs.${randomUUID()}`): string => {
    const expires = terms.ttlSeconds === 0 ? Number.POSITIVE_INFINITY : Date.now() + terms.ttlSeconds * 1000;
    tokens.set(token, { ...terms, createdAt: Date.now(), expires });
    return token;
  };

  const validToken = ({ headers }: SeenRequest): [string, IssuedToken] | undefined => {
    const name = headers['x-vault-token'];
    const token = typeof name === 'string' ? tokens.get(name) : undefined;
    return typeof name === 'string' && token !== undefined && token.expires > Date.now() ? [name, token] : undefined;
  };

  const may = (token: IssuedToken, path: string): boolean =>
    token.mayRead.some((rule) => (rule.endsWith('*') ? path.startsWith(rule.slice(0, -1)) : path === rule));

  const secondsLeft = (until: number): number => Math.max(0, Math.floor((until - Date.now()) / 1000));

  const authOf = (name: string, token: IssuedToken): Record<string, unknown> => ({
    client_token: name,
    accessor: randomUUID(),
    policies: ['default', 'guest-token-proxy'],
    lease_duration: Number.isFinite(token.expires) ? Math.round((token.expires - Date.now()) / 1000) : 0,
    // Like the real one: true if it is renewable, even if a renewal adds no time.
    renewable: token.renewable ?? true,
    token_type: 'service',
  });

  function logIn(path: string, body: SeenRequest['body'], response: ServerResponse): void {
    const login = logins.get(path);
    if (login === undefined)
      return refuse(response, 404, `no handler for route "auth/${path}/login". route entry not found.`);
    const fits = Object.entries(login.accepts).every(([member, value]) => body[member] === value);
    if (!fits) return refuse(response, 400, 'invalid role or secret ID');
    const name = issue(login.terms);
    const token = tokens.get(name);
    if (token !== undefined) json(response, 200, envelope({ auth: authOf(name, token) }));
  }

  function renew(name: string, token: IssuedToken, response: ServerResponse): void {
    if (token.renewable === false) return refuse(response, 400, 'lease is not renewable');
    const longest = token.maxTtlSeconds ? token.createdAt + token.maxTtlSeconds * 1000 : Number.POSITIVE_INFINITY;
    token.expires = Math.min(Date.now() + token.ttlSeconds * 1000, longest);
    json(response, 200, envelope({ auth: authOf(name, token) }));
  }

  function renewLease({ body }: SeenRequest, response: ServerResponse): void {
    const lease = leases.get(String(body['lease_id']));
    if (lease === undefined) return refuse(response, 400, 'lease not found');
    const seconds = Math.min(lease.seconds, secondsLeft(lease.ends));
    json(response, 200, { lease_id: body['lease_id'], renewable: true, lease_duration: seconds });
  }

  function readKv2(
    path: string,
    { data }: { data: Map<string, Record<string, unknown> | 'deleted'> },
    response: ServerResponse,
  ): void {
    if (!path.startsWith('data/'))
      return json(response, 404, { errors: [], warnings: ['Invalid path for a versioned K/V secrets engine.'] });
    const found = data.get(path.slice('data/'.length));
    if (found === undefined) return refuse(response, 404);
    const deletion = found === 'deleted' ? new Date().toISOString() : '';
    const metadata = { version: 1, created_time: new Date().toISOString(), deletion_time: deletion, destroyed: false };
    const content = { data: found === 'deleted' ? null : found, metadata };
    json(response, found === 'deleted' ? 404 : 200, envelope({ data: content }));
  }

  function read(path: string, token: IssuedToken, response: ServerResponse): void {
    const [mountPath, mount] = [...mounts].find(([name]) => path.startsWith(`${name}/`)) ?? [];
    if (!may(token, path)) return refuse(response, 403, '1 error occurred:\n\t* permission denied\n\n');
    if (mountPath === undefined || mount === undefined)
      return refuse(response, 404, `no handler for route "${path}". route entry not found.`);
    const rest = path.slice(mountPath.length + 1);
    if (mount.type === 'kv2') return readKv2(rest, mount, response);
    if (mount.type !== 'leased') {
      const found = mount.data.get(rest);
      if (found === undefined) return refuse(response, 404);
      return json(response, 200, envelope({ data: found, lease_duration: 2_764_800 }));
    }
    const id = `${path}/${randomUUID()}`;
    leases.set(id, { ends: Date.now() + mount.lease.maxSeconds * 1000, seconds: mount.lease.seconds });
    json(
      response,
      200,
      envelope({ lease_id: id, lease_duration: mount.lease.seconds, renewable: true, data: { key: id } }),
    );
  }

  function describeMount(path: string, token: IssuedToken, response: ServerResponse): void {
    const [name, mount] = [...mounts].find(([candidate]) => `${path}/`.startsWith(`${candidate}/`)) ?? [];
    const touches = token.mayRead.some((rule) => name !== undefined && rule.startsWith(`${name}/`));
    if (!state.mountsMayBeListed || mount === undefined || !touches) {
      return refuse(
        response,
        403,
        "preflight capability check returned 403, please ensure client's policies grant access to path",
      );
    }
    const options = mount.type === 'kv2' ? { version: '2' } : mount.type === 'kv1' ? { version: '1' } : null;
    json(
      response,
      200,
      envelope({ data: { path: `${name ?? ''}/`, type: mount.type === 'leased' ? 'plugin' : 'kv', options } }),
    );
  }

  function respond(request: SeenRequest, response: ServerResponse): void {
    const { method, path, headers, body } = request;
    if (override?.(request, response) === true) return;
    if (state.sealed) return refuse(response, 503, 'Vault is sealed');
    if (headers['x-vault-namespace'] !== namespace) return refuse(response, 404, 'no handler for route');
    const login = /^auth\/(.+)\/login$/.exec(path)?.[1];
    if (login !== undefined && method === 'POST') return logIn(login, body, response);
    const caller = validToken(request);
    if (caller === undefined)
      return refuse(response, 403, '2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n');
    const [name, token] = caller;
    if (path === 'auth/token/lookup-self') {
      const ttl = Number.isFinite(token.expires) ? secondsLeft(token.expires) : 0;
      return json(response, 200, envelope({ data: { id: name, ttl, renewable: token.renewable ?? true } }));
    }
    if (path === 'auth/token/renew-self') return renew(name, token, response);
    if (path === 'auth/token/revoke-self') {
      tokens.delete(name);
      response.writeHead(204).end();
      return;
    }
    if (path === 'sys/leases/renew') return renewLease(request, response);
    const mounted = /^sys\/internal\/ui\/mounts\/(.+)$/.exec(path)?.[1];
    if (mounted !== undefined) return describeMount(mounted, token, response);
    read(path, token, response);
  }

  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    void bodyOf(request).then((body) => {
      const path = decodeURIComponent((request.url ?? '').replace(/^\/v1\//, ''));
      const seen = { method: request.method ?? '', path, headers: request.headers, body };
      requests.push(seen);
      respond(seen, response);
    });
  };
  const secure = tls === undefined ? undefined : createHttpsServer({ ...tls }, listener);
  const server: Server = secure ?? createHttpServer(listener);
  const listen = (port: number): Promise<void> =>
    new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve()));
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });

  return {
    address: `${secure === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    /** All requests so far, in order. */
    requests,
    requestCount: (path: string): number => requests.filter((request) => request.path === path).length,
    state,
    mount: (path: string, type: 'kv1' | 'kv2'): void => void mounts.set(path, { type, data: new Map() }),
    mountLeased: (path: string, lease: LeasedMount['lease']): void => void mounts.set(path, { type: 'leased', lease }),
    write: (mount: string, path: string, data: Record<string, unknown> | 'deleted'): void => {
      const found = mounts.get(mount);
      if (found !== undefined && found.type !== 'leased') found.data.set(path, data);
    },
    issue,
    revoke: (token?: string): void => void (token === undefined ? tokens.clear() : tokens.delete(token)),
    validTokens: (): readonly string[] =>
      [...tokens].filter(([, { expires }]) => expires > Date.now()).map(([name]) => name),
    enableLogin: (path: string, accepts: Record<string, string>, terms: TokenTerms): void =>
      void logins.set(path, { accepts, terms }),
    /** Answers instead of the server if it returns true. */
    override: (next: Override | undefined): void => {
      override = next;
    },
    replaceCertificate: (pem: Pem): void => secure?.setSecureContext(pem),
    stop,
    restart: () => listen(port),
    close: stop,
  };
}

export type VaultStandIn = Awaited<ReturnType<typeof startVaultStandIn>>;
