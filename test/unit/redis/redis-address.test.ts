import { describe, expect, it } from 'vitest';
import { ConfigurationError } from '../../../src/problem.ts';
import { inspect } from 'node:util';
import { parseRedisUrl, type RedisAddress } from '../../../src/redis/redis-address.ts';
import { Secret } from '../../../src/secrets/secret.ts';

/** The address with its secrets as text. */
const revealed = (address: RedisAddress): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(address).map(([name, value]) => [
      name,
      value instanceof Secret ? value.reveal() : (value as unknown),
    ]),
  );

describe('REDIS_URL', () => {
  it.each([
    ['redis://cache', { kind: 'single', tls: false, node: { host: 'cache', port: 6379 }, db: 0 }],
    ['redis://cache:7000/3', { kind: 'single', tls: false, node: { host: 'cache', port: 7000 }, db: 3 }],
    ['redis://cache:1/15', { kind: 'single', tls: false, node: { host: 'cache', port: 1 }, db: 15 }],
    ['redis://@cache:65535', { kind: 'single', tls: false, node: { host: 'cache', port: 65_535 }, db: 0 }],
    ['redis+cluster://n1/', { kind: 'cluster', tls: false, nodes: [{ host: 'n1', port: 6379 }] }],
    ['redis://cache/', { kind: 'single', tls: false, node: { host: 'cache', port: 6379 }, db: 0 }],
    ['rediss://[2001:db8::1]:6380', { kind: 'single', tls: true, node: { host: '2001:db8::1', port: 6380 }, db: 0 }],
    [
      'redis://:s%40crt@cache',
      { kind: 'single', tls: false, password: 's@crt', node: { host: 'cache', port: 6379 }, db: 0 },
    ],
    [
      'rediss://svc:pw:with:colons@cache',
      {
        kind: 'single',
        tls: true,
        username: 'svc',
        password: 'pw:with:colons',
        node: { host: 'cache', port: 6379 },
        db: 0,
      },
    ],
    [
      'redis+sentinel://svc:pw@s1,s2:26380/mymaster/2?sentinelUsername=guard&sentinelPassword=other',
      {
        kind: 'sentinel',
        tls: false,
        username: 'svc',
        password: 'pw',
        sentinels: [
          { host: 's1', port: 26_379 },
          { host: 's2', port: 26_380 },
        ],
        master: 'mymaster',
        db: 2,
        sentinelUsername: 'guard',
        sentinelPassword: 'other',
      },
    ],
    [
      'rediss+cluster://:pw@n1:7000,n2:7001',
      {
        kind: 'cluster',
        tls: true,
        password: 'pw',
        nodes: [
          { host: 'n1', port: 7000 },
          { host: 'n2', port: 7001 },
        ],
      },
    ],
  ])('%s is accepted', (text, address) => {
    expect(revealed(parseRedisUrl(text))).toEqual(address);
  });

  it.each([
    'http://cache',
    'cache:6379',
    'redis://',
    'redis://hunter2secret@cache',
    'redis://:hunter2secret%zz@cache',
    'redis://:hunter2secret@a b',
    'redis://:hunter2secret@cache:0',
    'redis://:hunter2secret@cache:70000',
    'redis://:hunter2secret@cache:65536',
    'redis://:hunter2secret@cache/first',
    'redis://:hunter2secret@cache/1st',
    'redis://:hunter2secret@cache/no1',
    'redis://:hunter2secret@cache/10000',
    'redis://:hunter2secret@cache/1/2',
    'redis://:hunter2secret@a,b',
    'redis://:hunter2secret@cache?tls=false',
    'redis+sentinel://:hunter2secret@s1',
    'redis+sentinel://:hunter2secret@s1/master/0/x',
    'redis+sentinel://:hunter2secret@s1/master?password=x',
    'redis+sentinel://:hunter2secret@s1/master?sentinelPassword=',
    'redis+cluster://:hunter2secret@n1/2',
  ])('%s is refused without repeating its password', (text) => {
    const refusal = (() => {
      try {
        return parseRedisUrl(text);
      } catch (error) {
        return error;
      }
    })();
    expect(refusal).toBeInstanceOf(ConfigurationError);
    expect(String(refusal)).toContain('REDIS_URL');
    expect(String(refusal)).not.toContain('hunter2secret');
  });

  it('is printed and serialised without its password', () => {
    const address = parseRedisUrl('redis+sentinel://svc:hunter2secret@s1/master?sentinelPassword=hunter3secret');
    const identity = (text: string): string => new Secret(text).identity();
    for (const text of [inspect(address, { depth: Infinity, showHidden: true }), JSON.stringify(address)]) {
      for (const secret of ['hunter2secret', 'hunter3secret']) {
        expect(text).not.toContain(secret);
        expect(text).not.toContain(identity(secret));
      }
    }
  });
});
