import { describe, expect, it } from 'vitest';
import { decide } from '../../../src/policy/decide.ts';
import type { Decision } from '../../../src/policy/decision.ts';
import { loadPolicy } from '../../../src/policy/compile/load-policy.ts';
import { compareShadow } from '../../../src/policy/shadow.ts';
import { caseTime, principalOf } from '../../policy/policy-case.ts';

const claims = { org: 'acme', region: 'EU-secret', roles: ['a'], extra: 'more-secret' };

const decisionOf = (request: string, more = '', expiresIn = '1h'): Decision =>
  decide(
    loadPolicy({
      text: `{ version: 1, dataApps: { s: { default: true, expiresIn: ${expiresIn}, ${more} request: ${request} } } }`,
      file: 'p.yaml',
      maxLifetimeSeconds: 86_400,
    }),
    principalOf(claims),
    undefined,
    caseTime,
  );

const request =
  '{ clientId: "${claims.org}", params: { appFilters: [{ metricId: m, values: { r: "${claims.region}" } }] } }';

describe('the comparison with the shadow policy', () => {
  it('finds no difference if only the order of keys and the revision differ', () => {
    const turned =
      '{ params: { appFilters: [{ values: { r: "${claims.region}" }, metricId: m }] }, clientId: "${claims.org}" }';
    expect(compareShadow(decisionOf(request), decisionOf(turned))).toEqual([]);
  });

  it('reports added, removed and changed fields by path, without values', () => {
    const other =
      '{ clientId: "${claims.org}", permissions: { isShowSideBar: true }, params: { timezone: UTC, appFilters: [{ metricId: m, values: { r: "${claims.extra}", q: 1 } }] } }';
    const differences = compareShadow(decisionOf(request), decisionOf(other));
    expect(differences).toEqual([
      { path: 'params.appFilters[0].values.r', change: 'changed' },
      { path: 'params.appFilters[0].values.q', change: 'added' },
      { path: 'params.timezone', change: 'added' },
      { path: 'permissions', change: 'added' },
    ]);
    expect(JSON.stringify(differences)).not.toContain('secret');
    const reversed = compareShadow(decisionOf(other), decisionOf(request)).map(
      ({ path, change }) => `${change} ${path}`,
    );
    expect(reversed).toContain('removed params.timezone');
    expect(reversed).toContain('removed permissions');
  });

  it('reports another lifetime and another API key', () => {
    const shadow = decisionOf(request, 'apiKey: OTHER,');
    expect(compareShadow(decisionOf(request), shadow)).toEqual([{ path: 'apiKeyName', change: 'changed' }]);
    expect(compareShadow(decisionOf(request), decisionOf(request, '', '2h'))).toEqual([
      { path: 'lifetimeMs', change: 'changed' },
    ]);
    const withinAccessToken = decisionOf(request, 'withinAccessToken: true,');
    expect(compareShadow(decisionOf(request), withinAccessToken)).toEqual([]);
  });

  it('reports that one policy permits and the other denies', () => {
    const denies = decisionOf('{ clientId: "${claims.missing}" }');
    expect(compareShadow(decisionOf(request), denies)).toEqual([{ path: 'decision', change: 'changed' }]);
  });

  it('reports that both deny for different reasons', () => {
    const missing = decisionOf('{ clientId: "${claims.missing}" }');
    const refused = decisionOf('{ clientId: "${claims.roles}" }');
    expect(compareShadow(missing, refused)).toEqual([{ path: 'reason', change: 'changed' }]);
    expect(compareShadow(missing, missing)).toEqual([]);
    expect(compareShadow(missing, decisionOf(request, 'when: "false",'))).toEqual([
      { path: 'code', change: 'changed' },
      { path: 'reason', change: 'changed' },
    ]);
  });

  it('stops after fifty differences', () => {
    const many = (value: number): string =>
      `{ clientId: a, params: { appFilters: [{ metricId: m, values: { ${Array.from({ length: 90 }, (_, i) => `f${i}: ${value}`).join(', ')} } }] } }`;
    expect(compareShadow(decisionOf(many(1)), decisionOf(many(2)))).toHaveLength(50);
  });
});
