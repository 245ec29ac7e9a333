// Connects to other services (Databrain, issuers, secret stores), directly or through the egress proxy of HTTPS_PROXY
// and HTTP_PROXY. TLS is always verified, and HTTP/2 is never used.
import { createSecureContext } from 'node:tls';
import { Agent, buildConnector, Pool, type Dispatcher } from 'undici';
import { createBypass } from './no-proxy.ts';
import { createSharedLookup } from './shared-lookup.ts';
import { createTunnel, type EgressProxy } from './tunnel.ts';

export interface EgressSettings {
  /** For https addresses. */
  readonly https: EgressProxy | undefined;
  /** For http addresses. */
  readonly http: EgressProxy | undefined;
  /** The value of NO_PROXY. */
  readonly noProxy: string;
}

export interface RouteOptions {
  /** Time limit for connecting, including TLS and the proxy's response. */
  readonly connectTimeoutMs: number;
  /** Trusted certificates for the target, instead of Node's. */
  readonly ca?: string | Buffer | undefined;
}

/** How undici's Client reaches an address. */
export interface Route {
  /** The host that the Client connects to: the target, or the proxy. */
  readonly origin: string;
  /** The prefix of the path in the request line. */
  readonly pathPrefix: string;
  /** Headers that every request carries. */
  readonly headers: Readonly<Record<string, string>>;
  readonly connect: buildConnector.connector;
}

export interface Egress {
  readonly routeTo: (target: URL, options: RouteOptions) => Route;
  /**
   * A dispatcher for occasional requests to any address. Requests pass their headers as an object.
   */
  readonly createAgent: (options: RouteOptions) => Dispatcher;
}

export function createEgress({ https, http, noProxy }: EgressSettings): Egress {
  const bypasses = createBypass(noProxy);

  const routeTo: Egress['routeTo'] = (target, { connectTimeoutMs: timeout, ca }) => {
    const proxy = target.protocol === 'https:' ? https : http;
    const toTarget = createConnector(timeout, ca);
    if (proxy === undefined || bypasses(target)) {
      return { origin: target.origin, pathPrefix: '', headers: {}, connect: toTarget };
    }
    const toProxy = createConnector(timeout);
    if (target.protocol === 'https:') {
      const connect = createTunnel(proxy, { timeoutMs: timeout, toProxy, toTarget });
      return { origin: target.origin, pathPrefix: '', headers: {}, connect };
    }
    // The absolute form of RFC 9112 §3.2.2: proxies only allow CONNECT to the ports of https.
    const { authorization } = proxy;
    return {
      origin: proxy.origin,
      pathPrefix: target.origin,
      headers: { host: target.host, ...(authorization && { 'proxy-authorization': authorization.reveal() }) },
      connect: toProxy,
    };
  };

  const createAgent: Egress['createAgent'] = (options) =>
    new Agent({
      factory: (origin, poolOptions) => {
        const route = routeTo(new URL(origin), options);
        const pool = new Pool(route.origin, {
          ...(poolOptions as Pool.Options),
          connect: route.connect,
          allowH2: false,
        });
        return route.pathPrefix === '' ? pool : pool.compose(inAbsoluteForm(route));
      },
      keepAliveTimeout: 4000,
    });

  return { routeTo, createAgent };
}

/** Connects to one host. Certificates and addresses are shared by all connections. */
function createConnector(timeout: number, ca?: RouteOptions['ca']): buildConnector.connector {
  const lookup = createSharedLookup();
  const plain = buildConnector({ timeout, lookup });
  let secure: buildConnector.connector | undefined;
  return (target, callback) => {
    if (target.protocol !== 'https:') return plain(target, callback);
    secure ??= buildConnector({
      timeout,
      lookup,
      allowH2: false,
      rejectUnauthorized: true,
      secureContext: createSecureContext({ ca }),
    });
    secure(target, callback);
  };
}

/** Sends each request to the proxy, with the absolute URL. */
const inAbsoluteForm =
  ({ origin, pathPrefix, headers }: Route): Dispatcher.DispatcherComposeInterceptor =>
  (dispatch) =>
  (request, handler) =>
    dispatch(
      { ...request, origin, path: `${pathPrefix}${request.path}`, headers: { ...request.headers, ...headers } },
      handler,
    );

/** The whole body; undefined if it is larger than `maxBytes`. Then the body and its connection are destroyed. */
export async function readBody(body: AsyncIterable<Buffer>, maxBytes: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    // Leaving the loop destroys the body.
    if (size > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
