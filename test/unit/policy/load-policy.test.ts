import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { loadPolicy } from '../../../src/policy/load-policy.ts';
import { ConfigurationError } from '../../../src/problem.ts';

const text = `version: 1
dataApps:
  sales:
    default: true
    apiKey: SALES
    expiresIn: 90s
    withinAccessToken: true
    request:
      clientId: None
      params:
        allowedEmbeds: [embed-1, "\${claims.more}"]
        appFilters:
          - { metricId: metric-1, values: { a: 1 } }
          - { metricId: "\${claims.metric}", values: { a: 1 } }
        dashboardAppFilters:
          - { dashboardId: dashboard-1, values: { a: x } }
        hideDashboardFilters: [not-an-id]
  finance:
    expiresIn: 1h
    request: { clientId: acme }
`;

const load = (apiKeyNames?: readonly string[]) =>
  loadPolicy({
    text,
    file: 'p.yaml',
    maxLifetimeSeconds: 86_400,
    ...(apiKeyNames === undefined ? {} : { apiKeyNames }),
  });

describe('a loaded policy', () => {
  it('carries the first 12 digits of the SHA-256 of its file', () => {
    expect(load().revision).toBe(createHash('sha256').update(text).digest('hex').slice(0, 12));
  });

  it('lists its data apps as the file says', () => {
    const policy = load();
    expect([...policy.dataApps.keys()]).toEqual(['sales', 'finance']);
    expect(policy.defaultDataApp).toBe(policy.dataApps.get('sales'));
    expect(policy.defaultDataApp).toMatchObject({
      position: 'p.yaml:3:3',
      apiKeyName: 'DATABRAIN_API_KEY_SALES',
      expiresInMs: 90_000,
      withinAccessToken: true,
    });
  });

  it('lists the literal ids that only the upstream can confirm', () => {
    expect(load().dataApps.get('sales')?.references).toEqual([
      { kind: 'embed', id: 'embed-1', position: 'p.yaml:11:25' },
      { kind: 'metric', id: 'metric-1', position: 'p.yaml:13:25' },
      { kind: 'dashboard', id: 'dashboard-1', position: 'p.yaml:16:28' },
    ]);
  });

  it('does not ask for keys when it is only tried out', () => {
    expect(() => load()).not.toThrow();
    expect(() => load(['DATABRAIN_API_KEY', 'DATABRAIN_API_KEY_SALES'])).not.toThrow();
    expect(() => load([])).toThrow(ConfigurationError);
  });
});
