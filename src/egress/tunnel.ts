// Connects to an https address through an egress proxy: CONNECT (RFC 9110 §9.3.6), then TLS with the target. The proxy
// sees only the target's name and port.
import { buildConnector, Client, errors } from 'undici';
import type { Secret } from '../secrets/secret.ts';

export interface EgressProxy {
  /** Such as `http://proxy.example.com:3128`. */
  readonly origin: string;
  /** Value of `Proxy-Authorization`. */
  readonly authorization: Secret | undefined;
}

interface TunnelOptions {
  /** Time limit for everything: the connection to the proxy, its response, and TLS. */
  readonly timeoutMs: number;
  /** The connection to the proxy. */
  readonly toProxy: buildConnector.connector;
  /** TLS over a socket to the target. */
  readonly toTarget: buildConnector.connector;
}

/**
 * An error whose code names the proxy. It must not be one of undici's codes: for some of them undici would reconnect
 * without end.
 */
function proxyError(error: unknown): Error {
  if (error instanceof errors.ConnectTimeoutError) return error;
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'FAILED';
  return Object.assign(new Error('the egress proxy could not be reached'), { code: `EGRESS_PROXY_${code}` });
}

export function createTunnel(proxy: EgressProxy, options: TunnelOptions): buildConnector.connector {
  const { timeoutMs, toProxy, toTarget } = options;

  return (target, callback) => {
    const host = target.hostname.includes(':') ? `[${target.hostname}]` : target.hostname;
    const authority = `${host}:${target.port === '' ? '443' : target.port}`;
    const client = new Client(proxy.origin, { connect: toProxy, allowH2: false, headersTimeout: timeoutMs });
    let settled = false;
    const settle: buildConnector.Callback = (...result) => {
      if (settled) {
        result[1]?.on('error', () => undefined).destroy();
        return;
      }
      settled = true;
      clearTimeout(timer);
      void client.destroy();
      callback(...result);
    };
    const timer = setTimeout(
      () => settle(new errors.ConnectTimeoutError('the egress proxy or the target behind it does not respond'), null),
      timeoutMs,
    );

    const headers = {
      host: authority,
      ...(proxy.authorization && { 'proxy-authorization': proxy.authorization.reveal() }),
    };
    client.connect({ path: authority, headers }).then(
      ({ statusCode, socket }) => {
        // The TLS connection reports its errors.
        socket.on('error', () => undefined);
        if (settled || statusCode < 200 || statusCode > 299) {
          socket.destroy();
          settle(Object.assign(new Error('the egress proxy refused'), { code: `EGRESS_PROXY_${statusCode}` }), null);
          return;
        }
        toTarget({ ...target, httpSocket: socket as NonNullable<buildConnector.Options['httpSocket']> }, settle);
      },
      (error: unknown) => settle(proxyError(error), null),
    );
  };
}
