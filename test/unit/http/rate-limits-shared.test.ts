import Fastify, { type FastifyInstance } from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { ServiceError } from '../../../src/errors.ts';
import { registerLimits } from '../../../src/http/rate-limits.ts';
import type { RedisLink } from '../../../src/redis/redis-link.ts';
import { Secret } from '../../../src/secrets/secret.ts';
import { principalOf } from '../../support/issuing.ts';
import { createScriptedRedisLink } from '../../support/servers/scripted-redis-link.ts';

type Reply = readonly [allowed: 0 | 1, used: number, freesInMs: number];

interface HeldRedis {
  readonly link: RedisLink;
  /** Pending requests to Redis. */
  readonly pendingCount: () => number;
  /** Answers the oldest one. */
  readonly answer: (reply: Reply) => Promise<void>;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A Redis that answers when the test calls a function. */
function createHeldRedis(): HeldRedis {
  const held: ((reply: Reply) => void)[] = [];
  return {
    link: createScriptedRedisLink(() => new Promise((resolve) => held.push(resolve))),
    pendingCount: () => held.length,
    answer: async (reply) => {
      held.shift()?.(reply);
      await turn();
    },
  };
}

const alice = principalOf('alice');
const allowed: Reply = [1, 1, 60_000];
const refused: Reply = [0, 5, 60_000];

describe('the counts of a request in Redis', () => {
  const apps: FastifyInstance[] = [];
  afterEach(async () => {
    await Promise.all(apps.splice(0).map((app) => app.close()));
  });

  const start = async (expected: typeof alice | undefined, asking = alice) => {
    const redis = createHeldRedis();
    const app = Fastify();
    apps.push(app);
    const secret = new Secret('an API key');
    const limits = await registerLimits(app, {
      address: { max: 5, windowSeconds: 60 },
      user: { max: 5, windowSeconds: 60 },
      clock: systemClock,
      onLimited: () => undefined,
      redis: { link: redis.link, secret: () => secret },
    });
    app.setErrorHandler((error, _request, reply) =>
      reply.code(429).send(error instanceof ServiceError ? error.reason : 'unexpected'),
    );
    app.post('/', async (request, reply) => {
      await limits.limitAddress(request, reply, expected);
      await limits.limitUser(request, reply, asking);
      return 'ok';
    });
    const send = async () => {
      const answer = app.inject({ method: 'POST', url: '/' });
      void answer.then(() => undefined);
      for (let count = 0; count < 5; count += 1) await turn();
      return async () => {
        const { body, headers } = await answer;
        return { body, limits: headers['ratelimit'] };
      };
    };
    return { ...redis, send };
  };

  it('are sent together if the user is known, and each counts once', async () => {
    const { send, pendingCount, answer } = await start(alice);
    const result = await send();
    expect(pendingCount()).toBe(2);
    await answer(allowed);
    await answer([1, 3, 1_000]);
    expect(pendingCount()).toBe(0);
    expect(await result()).toEqual({ body: 'ok', limits: '"address";r=4;t=60, "user";r=2;t=1' });
  });

  it('are sent one after the other if the user is not known yet', async () => {
    const { send, pendingCount, answer } = await start(undefined);
    const result = await send();
    expect(pendingCount()).toBe(1);
    await answer(allowed);
    expect(pendingCount()).toBe(1);
    await answer(allowed);
    expect((await result()).body).toBe('ok');
  });

  it('count the verified user, not the expected one', async () => {
    const { send, pendingCount, answer } = await start(alice, principalOf('bob'));
    const result = await send();
    await answer(allowed);
    await answer(refused);
    expect(pendingCount(), 'bob is counted').toBe(1);
    await answer(allowed);
    expect((await result()).body).toBe('ok');
  });

  it('refuse for the address first, and send nothing while that refusal is remembered', async () => {
    const { send, pendingCount, answer } = await start(alice);
    const result = await send();
    await answer(refused);
    await answer(refused);
    expect((await result()).body).toBe('address_limit');
    expect((await (await send())()).body).toBe('address_limit');
    expect(pendingCount()).toBe(0);
  });

  it('refuse for the user', async () => {
    const { send, answer } = await start(alice);
    const result = await send();
    await answer(allowed);
    await answer(refused);
    expect((await result()).body).toBe('user_limit');
  });
});
