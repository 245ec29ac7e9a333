import type { FastifyInstance } from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { ServiceError } from '../../../src/errors.ts';
import { createServer, type ServerOptions } from '../../../src/http/server.ts';
import { createLog } from '../../../src/telemetry/logger.ts';

const apps: FastifyInstance[] = [];
afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.close()));
});

const start = (options: Partial<ServerOptions>) => {
  const app = createServer({
    logger: createLog({ level: 'silent', sink: { write: () => undefined }, clock: systemClock }).logger,
    clock: systemClock,
    isTrustedProxy: undefined,
    keepAliveTimeoutMs: 5_000,
    bounds: { total: 10, perAddress: 10, unreadMs: 1_000 },
    addressKeyOf: () => undefined,
    onConnectionClosed: () => undefined,
    onServerError: () => undefined,
    onProtocolError: () => true,
    refusalHeaders: () => ({}),
    admit: async () => undefined,
    checkRoute: () => undefined,
    refuse: async () => {
      throw new TypeError('the message of a library');
    },
    ...options,
  });
  app.get('/', () => {
    throw new ServiceError('ACCESS_DENIED', 'not_found');
  });
  apps.push(app);
  return app;
};

describe('a failure while a request is refused', () => {
  it.each<readonly [string, Partial<ServerOptions>]>([
    ['after its route', {}],
    ['before its route', { admit: () => Promise.reject(new ServiceError('RATE_LIMITED', 'address_limit')) }],
  ])('%s is an internal error that says nothing of it', async (_when, options) => {
    const { statusCode, body, headers } = await start(options).inject('/');
    expect([statusCode, JSON.parse(body)]).toMatchObject([500, { error: { code: 'INTERNAL_ERROR' } }]);
    expect(body).not.toContain('library');
    expect(headers['x-request-id']).toBeDefined();
  });
});
