// The demo's settings from .env and the environment, and which of them the proxy gets.
import { describe, expect, it } from 'vitest';
import { readDemoSettings } from '../../../demo/settings.ts';
import { sentenceOf } from '../../support/sentences/name-sentence.ts';

describe('the demo without an API key', () => {
  it('simulates Databrain on the usual ports', () => {
    expect(readDemoSettings({}, undefined)).toEqual({
      realApiUrl: undefined,
      policyFile: undefined,
      ports: { page: 8000, proxy: 8080, admin: 9090, databrain: 8090 },
      inherited: {},
      upstream: {},
    });
  });

  it('passes no settings of a deployment to the proxy, but the rest of the environment', () => {
    const environment = {
      PATH: '/bin',
      JWT_SECRET: 'x',
      PORT: '1',
      REDIS_URL: 'x',
      DATABRAIN_API_URL: 'x',
      CORS_X: 'x',
    };
    const { inherited, upstream } = readDemoSettings(environment, 'POLICY_FILE=own.yaml\nDATABRAIN_API_KEY=\n');
    expect(inherited).toEqual({ PATH: '/bin' });
    expect(upstream).toEqual({});
  });
});

describe('the demo with an API key', () => {
  it('uses the real API, its keys and the policy from .env, and no other settings', () => {
    const file = [
      'DATABRAIN_API_KEY=key-1',
      'DATABRAIN_API_KEY_SALES="key-2"',
      'DATABRAIN_TIMEOUT_MS=500',
      'JWT_ISSUER=https://login.example.com',
      'POLICY_FILE=own.yaml',
      'PORT=1',
    ].join('\n');
    expect(readDemoSettings({ PATH: '/bin' }, file)).toMatchObject({
      realApiUrl: 'https://api.usedatabrain.com',
      policyFile: 'own.yaml',
      inherited: { PATH: '/bin' },
      upstream: { DATABRAIN_API_KEY: 'key-1', DATABRAIN_API_KEY_SALES: 'key-2', DATABRAIN_TIMEOUT_MS: '500' },
    });
  });

  it.each(['_FILE', '_VAULT'])('accepts it as DATABRAIN_API_KEY%s', (suffix) => {
    const { realApiUrl } = readDemoSettings(
      {},
      `DATABRAIN_API_KEY${suffix}=x\nDATABRAIN_API_URL=https://api.example.com`,
    );
    expect(realApiUrl).toBe('https://api.example.com');
  });

  it('prefers the environment to the file', () => {
    const { upstream } = readDemoSettings({ DATABRAIN_API_KEY: 'ours' }, 'DATABRAIN_API_KEY=theirs');
    expect(upstream).toEqual({ DATABRAIN_API_KEY: 'ours' });
  });
});

it.each(['-1', '65536', '80.5', 'http'])('refuses %s as a port, and names the variable', (port) => {
  expect(() => readDemoSettings({ DEMO_PROXY_PORT: port }, undefined)).toThrow(
    sentenceOf('notPort', 'DEMO_PROXY_PORT'),
  );
});
