import { describe, expect, it } from 'vitest';
import { createSettingReader } from '../../../src/config/setting-reader.ts';
import { readListeners } from '../../../src/config/read-listeners.ts';
import type { Problem } from '../../../src/problem.ts';

function read(env: Readonly<Record<string, string>>) {
  const problems: Problem[] = [];
  const listeners = readListeners(createSettingReader(env, () => Buffer.alloc(0), problems));
  return { listeners, problems: problems.map(({ location }) => location) };
}

describe('the settings of the listeners', () => {
  it('have the documented defaults', () => {
    expect(read({})).toEqual({
      listeners: {
        listen: { host: '0.0.0.0', port: 8080 },
        admin: { host: '127.0.0.1', port: 9090 },
        adminHosts: ['127.0.0.1'],
        basePath: '',
        hasPlayground: false,
        keepAliveTimeoutSeconds: 75,
      },
      problems: [],
    });
  });

  it('disable the admin listener for port 0, even if the public port is 0 too', () => {
    expect(read({ ADMIN_PORT: '0', PORT: '0' }).listeners.admin).toBeUndefined();
    expect(read({ ADMIN_PORT: '0', PORT: '0' }).problems).toEqual([]);
    expect(read({ ADMIN_PORT: '8080' }).problems).toEqual(['ADMIN_PORT']);
  });

  it.each(['/bi', '/a/b-c/d_e.f~1'])('accept the path prefix %s', (path) => {
    expect(read({ BASE_PATH: path })).toMatchObject({ listeners: { basePath: path }, problems: [] });
  });

  it('treat a single slash as no prefix', () => {
    expect(read({ BASE_PATH: '/' })).toMatchObject({ listeners: { basePath: '' }, problems: [] });
  });

  it.each([
    'bi',
    '/bi/',
    '//bi',
    '/a//b',
    '/../bi',
    '/./bi',
    '/a/..',
    '/b i',
    '/b%69',
    '/bi?x',
    '/bi#x',
    '/:id',
    '/*',
    'https://a.example/bi',
  ])('refuse the path prefix %s', (path) => expect(read({ BASE_PATH: path }).problems).toEqual(['BASE_PATH']));

  it('accept more Host values for the admin listener in addition to ADMIN_HOST', () => {
    expect(
      read({ ADMIN_HOST: '10.0.0.1', ADMIN_HOSTS: 'metrics.internal, [2001:db8::1]:9090' }).listeners.adminHosts,
    ).toEqual(['10.0.0.1', 'metrics.internal', '[2001:db8::1]:9090']);
    for (const bad of ['*', 'https://metrics.internal', 'a b', 'metrics/internal']) {
      expect(read({ ADMIN_HOSTS: bad }).problems, bad).toEqual(['ADMIN_HOSTS']);
    }
  });

  it.each(['0', '-1', '3601', '1.5', 'long'])('refuse %s seconds of keep-alive', (value) => {
    expect(read({ KEEP_ALIVE_TIMEOUT_SECONDS: value }).problems).toEqual(['KEEP_ALIVE_TIMEOUT_SECONDS']);
  });
});
