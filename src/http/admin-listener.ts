// The admin listener: metrics, version and health, for operators. Never reachable through the public port.
import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import type { Clock } from '../clock.ts';
import { ServiceError } from '../errors.ts';
import type { EdgeEvents } from '../telemetry/edge-events.ts';
import { adminConnectionBounds } from './client-connections.ts';
import { refusePlainly } from './error-reply.ts';
import { probePaths, registerHealth, type Readiness } from './health.ts';
import { playgroundPaths, registerPlayground, type PlaygroundOptions } from './playground.ts';
import { otherProtocolOf } from './raw-refusal.ts';
import { createListener } from './listener.ts';

export interface AdminOptions {
  readonly logger: FastifyBaseLogger;
  readonly clock: Clock;
  readonly events: EdgeEvents;
  readonly keepAliveTimeoutMs: number;
  /** Accepted Host values in addition to loopback names and the listener's own address. */
  readonly hosts: readonly string[];
  readonly readiness: Readiness;
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
  /** The program's version and the policy revision in use. */
  readonly version: () => Readonly<Record<string, string>>;
  /** Undefined: the playground is disabled. */
  readonly playground: PlaygroundOptions | undefined;
}

const paths = ['/metrics', '/version', ...probePaths].map((path) => [path, 'GET, HEAD'] as const);

const loopback = /^(?:localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])$/;

/** Lower case, without the port. An IPv6 address keeps its brackets. */
const nameOf = (host: string): string => host.replace(/:\d{0,5}$/, '').toLowerCase();

/** An address in the notation of Host. */
const asHost = (address: string): string => {
  const bare = address.replace(/^::ffff:(?=\d+\.)/i, '');
  return bare.includes(':') ? `[${bare}]` : bare.toLowerCase();
};

/**
 * Whether the admin listener accepts a Host: loopback names, its own address, and `hosts`. Others are refused, because
 * a page in an operator's browser can reach the listener under the page's own name (DNS rebinding). `localAddress` is
 * the local address of the connection.
 */
export function createHostList(
  hosts: readonly string[],
): (host: string | undefined, localAddress: string | undefined) => boolean {
  const listed = new Set(hosts.flatMap((host) => [nameOf(host), asHost(host)]));
  return (host, localAddress) => {
    if (host === undefined) return true;
    const name = nameOf(host);
    return loopback.test(name) || listed.has(name) || (localAddress !== undefined && name === asHost(localAddress));
  };
}

/** Creates the listener. The caller opens it only if ADMIN_PORT is set. */
export function createAdminListener(options: AdminOptions): FastifyInstance {
  const { logger, clock, events, readiness, metrics, version } = options;
  const isListed = createHostList(options.hosts);

  const app = createListener({
    logger,
    clock,
    isTrustedProxy: undefined,
    keepAliveTimeoutMs: options.keepAliveTimeoutMs,
    bounds: adminConnectionBounds,
    addressKeyOf: () => undefined,
    onConnectionClosed: events.onConnectionClosed,
    onServerError: events.onServerError,
    onProtocolError: (_connection, received) => {
      const protocol = otherProtocolOf(received);
      if (protocol !== undefined) events.onOtherProtocol('ADMIN_PORT', protocol);
      return true;
    },
    refusalHeaders: () => ({}),
    admit: undefined,
    checkHost: (host, request) => {
      if (isListed(host, request.socket.localAddress)) return;
      events.onUnknownAdminHost(host ?? '');
      throw new ServiceError('INVALID_REQUEST', 'host_refused');
    },
    methods: new Map([...paths, ...(options.playground === undefined ? [] : playgroundPaths)]),
    refuse: refusePlainly,
  });
  registerHealth(app, readiness);
  if (options.playground !== undefined) registerPlayground(app, options.playground);

  app.get('/metrics', async (_request, reply) => {
    const { contentType, text } = await metrics();
    return reply.header('cache-control', 'no-store').type(contentType).send(text);
  });

  app.get('/version', async (_request, reply) => {
    reply.header('cache-control', 'no-store');
    return version();
  });

  return app;
}
