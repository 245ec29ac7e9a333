import type { FastifyInstance, FastifyRequest } from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { ServiceError } from '../../../src/errors.ts';
import { refusePlainly } from '../../../src/http/error-reply.ts';
import { createListener, refuseIfGone, type ListenerOptions } from '../../../src/http/listener.ts';
import { createLog } from '../../../src/telemetry/log.ts';

const apps: FastifyInstance[] = [];
afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.close()));
});

const start = (options: Partial<ListenerOptions>) => {
  const app = createListener({
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
    checkHost: undefined,
    methods: new Map(),
    refuse: async () => {
      throw new TypeError('the message of a library');
    },
    ...options,
  });
  app.get('/', () => {
    throw new ServiceError('ACCESS_DENIED', 'validation_refused');
  });
  apps.push(app);
  return app;
};

describe('an exception during a refusal', () => {
  it.each<readonly [string, Partial<ListenerOptions>]>([
    ['after its route', {}],
    ['before its route', { admit: () => Promise.reject(new ServiceError('RATE_LIMITED', 'address_limit')) }],
  ])('%s is an internal error that reveals no details', async (_when, options) => {
    const { statusCode, body, headers } = await start(options).inject('/');
    expect([statusCode, JSON.parse(body)]).toMatchObject([500, { error: { code: 'INTERNAL_ERROR' } }]);
    expect(body).not.toContain('library');
    expect(headers['x-request-id']).toBeDefined();
  });
});

describe('every request', () => {
  const served: Partial<ListenerOptions> = { refuse: refusePlainly };

  it.each([
    [32_768, 200],
    [32_769, 431],
  ])('may have 32,768 bytes of header lines: %i', async (bytes, status) => {
    const app = start(served);
    app.get('/size', () => 'fine');
    // Every line counts with its colon, space and line end: here Host, User-Agent and x.
    const others = 'host: localhost:80\r\nuser-agent: lightMyRequest\r\nx: \r\n'.length;
    const { statusCode } = await app.inject({ url: '/size', headers: { x: 'x'.repeat(bytes - others) } });
    expect(statusCode).toBe(status);
  });

  it.each(['/size/', '/Size', '//size'])('must match its path exactly: %s', async (url) => {
    const app = start(served);
    app.get('/size', () => 'fine');
    expect((await app.inject(url)).statusCode).toBe(404);
  });

  it('ends when the caller disconnects', () => {
    expect(() => refuseIfGone({ raw: { destroyed: true } } as FastifyRequest)).toThrow(
      expect.objectContaining({ code: 'INVALID_REQUEST', reason: 'caller_gone' }),
    );
    expect(() => refuseIfGone({ raw: { destroyed: false } } as FastifyRequest)).not.toThrow();
  });
});

describe('the log of a refusal', () => {
  const loggedFor = async (thrown: Error): Promise<string> => {
    let written = '';
    const log = createLog({
      level: 'info',
      clock: systemClock,
      sink: {
        write: (text, done) => {
          written += text;
          done();
        },
      },
    });
    const app = start({ logger: log.logger, refuse: refusePlainly });
    app.get('/thrown', () => {
      throw thrown;
    });
    await app.inject({ url: '/thrown', headers: { 'x-request-id': 'r-1' } });
    await log.flush(1_000);
    return written;
  };

  it('has a line for an internal error, with the request id and without the message', async () => {
    const written = await loggedFor(new TypeError('the message of a library'));
    expect(JSON.parse(written)).toMatchObject({ level: 'error', requestId: 'r-1', err: { type: 'TypeError' } });
    expect(written).not.toContain('library');
  });

  it('has no other lines, because the audit log has them', async () => {
    expect(await loggedFor(new ServiceError('ACCESS_DENIED', 'validation_refused'))).toBe('');
  });
});
