import { describe, expect, it } from 'vitest';
import { createRedisCounter } from '../../../src/limits/redis-counter.ts';
import type { RedisLink } from '../../../src/redis/redis-link.ts';
import { createScriptedRedisLink } from '../../support/servers/scripted-redis-link.ts';

const linkThatReplies = (reply: unknown): RedisLink => createScriptedRedisLink(async () => reply);

describe('a count in Redis', () => {
  it('is the reply of the script', async () => {
    const take = createRedisCounter(linkThatReplies([1, 3, 1200]), 'test:');
    expect(await take('key', { max: 5, windowMs: 1000 })).toEqual({ allowed: true, used: 3, freesInMs: 1200 });
  });

  it.each([[null], ['OK'], [7], [[]], [[1, 3]], [['1', 3, 5]], [[1, Buffer.from('3'), 5]]])(
    'fails when Redis replies %j',
    async (reply) => {
      const take = createRedisCounter(linkThatReplies(reply), 'test:');
      await expect(take('key', { max: 5, windowMs: 1000 })).rejects.toThrow('BADREPLY');
    },
  );
});
