import Fastify, { type FastifyInstance } from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import type { Clock } from '../../../src/clock.ts';
import { ServiceError } from '../../../src/errors.ts';
import { createProbeCheck, registerLimits } from '../../../src/http/rate-limits.ts';
import { principalOf } from '../../support/issuing.ts';
import { createManualClock } from '../../support/manual-clock.ts';

const apps: FastifyInstance[] = [];
afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.close()));
});

interface StartOptions {
  readonly address?: number;
  readonly user?: number;
  readonly trustProxy?: string[];
  /** Moves only when the test moves it. */
  readonly clock?: Clock;
}

/**
 * A listener with the hooks of the service: the address limit, then a check that accepts only the bearer token
 * `user …`.
 */
async function start({ address = 1000, user = 1000, trustProxy, clock = createManualClock() }: StartOptions) {
  const app = Fastify({ routerOptions: { caseSensitive: true }, ...(trustProxy === undefined ? {} : { trustProxy }) });
  apps.push(app);
  const limited: string[] = [];
  const limits = await registerLimits(app, {
    address: { max: address, windowSeconds: 60 },
    user: { max: user, windowSeconds: 60 },
    clock,
    onLimited: (limit) => limited.push(limit),
  });
  const isProbe = createProbeCheck('');
  app.addHook('onRequest', async (request, reply) => {
    if (!isProbe(request)) await limits.limitAddress(request, reply);
  });
  app.setErrorHandler((error, _request, reply) => {
    if (!(error instanceof ServiceError)) return reply.code(500).send();
    const status = error.code === 'RATE_LIMITED' ? 429 : 401;
    return reply
      .code(status)
      .header('retry-after', error.detail.retryAfterSeconds ?? '')
      .send(error.reason);
  });
  app.setNotFoundHandler((_request, reply) => reply.code(404).send());
  app.route({
    method: 'POST',
    url: '/guest-token',
    onRequest: async (request, reply) => {
      const [scheme, iss = '', sub] = (request.headers.authorization ?? '').split(' ');
      if (scheme !== 'user' || sub === undefined) throw new ServiceError('INVALID_TOKEN', 'token_malformed');
      await limits.limitUser(request, reply, principalOf(sub, iss));
    },
    handler: () => 'ok',
  });
  for (const url of ['/livez', '/readyz', '/healthz']) app.get(url, () => 'ok');
  const post = (headers: Record<string, string> = {}, remoteAddress = '198.51.100.1', url = '/guest-token') =>
    app.inject({ method: 'POST', url, headers, remoteAddress });
  const times = async (count: number, send: () => ReturnType<typeof post>): Promise<number[]> =>
    (await Promise.all(Array.from({ length: count }, send))).map(({ statusCode }) => statusCode);
  return { app, limited, post, times };
}

const alice = { authorization: 'user issuer alice' };

describe('the limit of a client address', () => {
  it('counts bad credentials and unknown paths exactly, even if they arrive at once', async () => {
    const { post, times, limited } = await start({ address: 60 });
    const responses = await times(70, () => post({ authorization: 'nonsense' }));
    expect(responses.filter((status) => status === 401)).toHaveLength(60);
    expect(responses.filter((status) => status === 429)).toHaveLength(10);
    const refused = await post({}, '198.51.100.1', '/unknown');
    expect(refused).toMatchObject({ statusCode: 429, body: 'address_limit' });
    expect(limited).toHaveLength(11);
  });

  it('reports the waiting time and the remaining requests', async () => {
    const { post } = await start({ address: 2, clock: createManualClock() });
    expect((await post(alice)).headers).toMatchObject({
      'ratelimit-policy': '"address";q=2;w=60, "user";q=1000;w=60',
      ratelimit: '"address";r=1;t=60, "user";r=999;t=60',
    });
    await post();
    const refused = await post();
    expect(refused.headers['ratelimit']).toBe('"address";r=0;t=60');
    expect(refused.headers['retry-after']).toBe('60');
  });

  it('counts all addresses of an IPv6 /64 network together', async () => {
    const { post } = await start({ address: 1 });
    expect((await post(alice, '2001:db8:1:2::1')).statusCode).toBe(200);
    expect((await post(alice, '2001:DB8:1:2:ffff::9')).statusCode).toBe(429);
    expect((await post(alice, '2001:db8:1:3::1')).statusCode).toBe(200);
  });

  it('allows the networks of one IPv6 /48 together as many requests as sixteen addresses', async () => {
    const { post, limited } = await start({ address: 2 });
    const statuses: number[] = [];
    for (let network = 0; network < 20; network += 1) {
      for (let count = 0; count < 2; count += 1) {
        statuses.push((await post(alice, `2001:db8:1:${network.toString(16)}::1`)).statusCode);
      }
    }
    expect(statuses.map((status) => status === 200)).toEqual(statuses.map((_, index) => index < 32));
    const refused = await post(alice, '2001:db8:1:ffff::1');
    expect(refused).toMatchObject({ statusCode: 429, body: 'address_limit' });
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expect((await post(alice, '2001:db8:2::1')).statusCode).toBe(200);
    expect(limited).toHaveLength(9);
  });

  it('ignores forwarded headers from clients that are not trusted proxies', async () => {
    const { post, times } = await start({ address: 1 });
    let count = 0;
    const responses = await times(3, () => post({ ...alice, 'x-forwarded-for': `203.0.113.${(count += 1)}` }));
    expect(responses).toEqual([200, 429, 429]);
  });

  it('uses the address that a trusted proxy added, not the one that the client sent', async () => {
    const { post } = await start({ address: 1, trustProxy: ['198.51.100.1'] });
    expect((await post({ ...alice, 'x-forwarded-for': '1.1.1.1, 203.0.113.5' })).statusCode).toBe(200);
    expect((await post({ ...alice, 'x-forwarded-for': '2.2.2.2, 203.0.113.5' })).statusCode).toBe(429);
    expect((await post({ ...alice, 'x-forwarded-for': '2.2.2.2, 203.0.113.5:4711' })).statusCode).toBe(429);
    expect((await post({ ...alice, 'x-forwarded-for': '203.0.113.6' })).statusCode).toBe(200);
  });

  it('does not count health probes, but counts similar requests', async () => {
    const { app, post } = await start({ address: 1 });
    for (const url of ['/livez', '/readyz', '/healthz']) {
      expect((await app.inject({ url, remoteAddress: '198.51.100.1' })).statusCode).toBe(200);
    }
    expect((await post(alice)).statusCode).toBe(200);
    expect((await app.inject({ url: '/livez', remoteAddress: '198.51.100.1' })).statusCode).toBe(200);
    for (const url of ['/livez/', '/LIVEZ', '//livez'])
      expect((await post({}, '198.51.100.1', url)).statusCode).toBe(429);
    expect((await post({}, '198.51.100.1', '/livez')).statusCode).toBe(429);
  });
});

describe('the limit of a user', () => {
  it('counts by issuer and subject over all addresses exactly, even if requests arrive at once', async () => {
    const { post, times, limited } = await start({ user: 5 });
    let count = 0;
    const responses = await times(8, () => post(alice, `198.51.100.${(count += 1)}`));
    expect(responses.filter((status) => status === 200)).toHaveLength(5);
    expect(await post(alice)).toMatchObject({ statusCode: 429, body: 'user_limit' });
    expect(limited).toEqual(['user', 'user', 'user', 'user']);
  });

  it.each([
    ['another subject', 'user issuer Alice'],
    ['another issuer', 'user Issuer alice'],
  ])('counts %s separately', async (_, authorization) => {
    const { post } = await start({ user: 1 });
    expect((await post(alice)).statusCode).toBe(200);
    expect((await post({ authorization })).statusCode).toBe(200);
    expect((await post(alice)).statusCode).toBe(429);
  });

  it('does not count requests with bad credentials', async () => {
    const { post } = await start({ user: 1 });
    for (let count = 0; count < 5; count += 1) await post({ authorization: 'user alice' });
    expect((await post(alice)).statusCode).toBe(200);
  });
});
