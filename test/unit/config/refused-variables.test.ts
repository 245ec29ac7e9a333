import { describe, expect, it } from 'vitest';
import { unknownVariables } from '../../../src/config/refused-variables.ts';

const refused = (...names: string[]): readonly string[] =>
  unknownVariables(Object.fromEntries(names.map((name) => [name, 'x']))).map(({ location }) => location);

describe('a variable that is similar to a setting', () => {
  it.each([
    'TRUST_PROXIES',
    'TRUSTED_PROXY',
    'TRUST_PROXYS',
    'REDIS_URI',
    'REDISURL',
    'LOGLEVEL',
    'log_level',
    'JWT_AUDIENCES',
    'DATABRAIN_TIMEOUT',
    'CORS_ORIGIN',
    'INSECURE_DATABRAIN',
  ])('stops the start: %s', (name) => expect(refused(name)).toEqual([name]));

  it.each([
    'HOSTNAME',
    'HOSTS',
    'PORTS',
    'PATH',
    'HOME',
    'REDIS_PORT',
    'REDIS_PORT_6379_TCP',
    'REDIS_SERVICE_HOST',
    'REDIS_HOST',
    'npm_config_loglevel',
    'FTP_PROXY',
    'ALL_PROXY',
    'all_proxy',
    'KUBERNETES_SERVICE_HOST',
    'NODE_OPTIONS',
    'NODE_EXTRA_CA_CERTS',
    'TZ',
    'DATABRAIN_API_KEY_SALES',
    'DATABRAIN_API_KEY_SALES_FILE',
  ])('may be %s, because other programs use it', (name) => expect(refused(name)).toEqual([]));

  it('is reported with the name of the similar setting', () => {
    expect(unknownVariables({ REDIS_URI: 'redis://:hunter2@x' })).toEqual([
      expect.objectContaining({ problem: expect.stringContaining('REDIS_URL') as unknown }),
    ]);
  });

  it('ignores an empty variable', () => expect(unknownVariables({ REDIS_URI: '' })).toEqual([]));
});
