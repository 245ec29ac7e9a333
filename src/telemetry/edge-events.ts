// Metrics and log lines for events at the listeners. Events that callers can cause are logged once per value and in
// bounded numbers, so that they fill neither the log nor the memory.
import type { Logger } from 'pino';
import type { Metrics } from './metrics.ts';

export interface EdgeEvents {
  /** A connection was closed because of a bound on connections. */
  readonly onConnectionClosed: (cause: 'total' | 'address' | 'pipelining' | 'unread' | 'offender') => void;
  /** The listening socket reported an error with this code; it continues to listen. */
  readonly onServerError: (code: string) => void;
  /** A request came from a page whose origin is not in CORS_ORIGINS. */
  readonly onUnknownOrigin: (origin: string) => void;
  /** A peer that is not in TRUST_PROXY sent a forwarding header. `peer` is a network, not one machine. */
  readonly onUntrustedForwarding: (header: string, peer: string) => void;
  /** A port received something other than HTTP/1.1. */
  readonly onOtherProtocol: (port: 'PORT' | 'ADMIN_PORT', protocol: string) => void;
  /** The admin listener received an unknown Host. */
  readonly onUnknownAdminHost: (host: string) => void;
}

const maxValues = 100;
const forgetAfterMs = 3_600_000;
const maxLength = 256;

/** Calls `report` once per value and hour, for a bounded number of values. */
function oncePerValue(now: () => number): (value: string, report: (short: string) => void) => void {
  const reported = new Set<string>();
  let since = now();
  return (value, report) => {
    if (now() - since > forgetAfterMs) {
      reported.clear();
      since = now();
    }
    const short = value.slice(0, maxLength);
    if (reported.has(short) || reported.size >= maxValues) return;
    reported.add(short);
    report(short);
  };
}

/** `now`: monotonic milliseconds. */
export function observeEdge(metrics: Metrics, logger: Logger, now: () => number): EdgeEvents {
  const oncePerOrigin = oncePerValue(now);
  const oncePerHost = oncePerValue(now);
  const oncePerProtocol = oncePerValue(now);
  let forwardingIsLogged = false;

  return {
    onConnectionClosed: (cause) => metrics.connectionsClosed.inc({ cause }),
    onServerError: (code) => logger.error({ errorCode: code }, 'the listening socket reported an error'),
    onUnknownOrigin: (origin) => {
      metrics.unknownOrigins.inc();
      oncePerOrigin(origin, (short) =>
        logger.warn(
          { origin: short },
          'request from a page whose origin is not in CORS_ORIGINS; the browser blocks the response',
        ),
      );
    },
    onUntrustedForwarding: (header, peer) => {
      if (forwardingIsLogged) return;
      forwardingIsLogged = true;
      logger.warn(
        { header, peer },
        'forwarding header from a peer that is not in TRUST_PROXY; behind a proxy, all users then share one address limit',
      );
    },
    onOtherProtocol: (port, protocol) =>
      oncePerProtocol(`${port} ${protocol}`, () =>
        logger.warn({ port, protocol }, 'a client used another protocol on a port for HTTP/1.1 without TLS'),
      ),
    onUnknownAdminHost: (host) =>
      oncePerHost(host, (short) =>
        logger.warn(
          { host: short },
          'the admin listener refused an unknown Host; add it to ADMIN_HOSTS if it is yours',
        ),
      ),
  };
}
