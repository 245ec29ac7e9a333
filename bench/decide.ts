// Measures `decide` for a realistic policy (20 fields, 6 expressions, 3 conditional filters), and compares it with a
// function written by hand that builds and hashes the same body with the same rules. Both alternate in one run; the
// best of several results counts. `npm exec -- node bench/decide.ts [--json]`; exits with 1 if decide is over 15 µs or
// over three times the hand-written function.
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { parseArgs } from 'node:util';
import type { Claims, Principal } from '../src/authn/principal.ts';
import { decide } from '../src/policy/decide.ts';
import { loadPolicy } from '../src/policy/compile/load-policy.ts';

const maxMicroseconds = 15;
const maxRatio = 3;

const policy = loadPolicy({
  file: 'bench.yaml',
  maxLifetimeSeconds: 86_400,
  text: `
version: 1
variables:
  isAdmin: claims.realm_access.roles.exists(role, role == "admin")
dataApps:
  sales:
    default: true
    expiresIn: 1h
    validations:
      - expression: claims.email_verified == true
        message: Verify your e-mail address first.
    request:
      clientId: \${claims.org_id}
      params:
        userIdentifier: \${claims.sub}
        allowedEmbeds: [sales-overview, sales-detail]
        timezone: Europe/Berlin
        appFilters:
          - when: "!variables.isAdmin"
            metricId: revenue
            values: { country: "\${claims.countries}", paid_orders: true }
          - when: "!variables.isAdmin"
            metricId: orders
            values: { country: [DE, FR] }
          - when: "!variables.isAdmin"
            metricId: margin
            values: { limit: 100 }
        dashboardAppFilters:
          - dashboardId: overview
            isShowOnUrl: false
            values: { region: "\${claims.region}", period: { startDate: 2024-01-01, endDate: 2024-12-31 } }
        hideDashboardFilters: [cost, margin]
      permissions:
        isEnableDownloadMetrics: true
        isEnableUnderlyingData: false
        isShowSideBar: true
        isShowDashboardName: true
        isEnableManageMetrics: false
`,
});

const claims: Claims = {
  iss: 'https://issuer.example',
  sub: 'user-4711',
  exp: 2_000_000_000,
  email_verified: true,
  org_id: 'acme',
  countries: ['DE', 'FR', 'IT'],
  region: 'EMEA',
  realm_access: { roles: ['offline_access', 'viewer', 'analyst'] },
};
// Only authn/ creates principals; this one is for the measurement only.
const principal = { iss: 'https://issuer.example', sub: 'user-4711', exp: 2_000_000_000, claims } as Principal;

const clientIdPattern = /^[A-Za-z0-9][A-Za-z0-9_.:@|+-]{0,127}$/;
const refusedText = /[\u0000-\u001f\u007f"'`\\;]|--|\/\*/;

class Refused extends Error {}

const text = (value: unknown): string => {
  if (typeof value !== 'string' || value === '' || value.length > 256 || refusedText.test(value)) throw new Refused();
  return value;
};

const texts = (value: unknown): readonly string[] => {
  if (!Array.isArray(value) || value.length === 0) throw new Refused();
  return Object.freeze(value.map(text));
};

const own = (holder: unknown, name: string): unknown => {
  if (typeof holder !== 'object' || holder === null || !Object.hasOwn(holder, name)) throw new Refused();
  return (holder as Readonly<Record<string, unknown>>)[name];
};

function byHand({ claims: given }: Principal): unknown {
  const roles = own(own(given, 'realm_access'), 'roles');
  if (!Array.isArray(roles)) throw new Refused();
  const isAdmin = roles.some((role) => role === 'admin');
  if (own(given, 'email_verified') !== true) throw new Refused();
  const clientId = text(own(given, 'org_id'));
  if (!clientIdPattern.test(clientId) || /^(?:none|null|undefined)$/i.test(clientId)) throw new Refused();
  const userIdentifier = text(own(given, 'sub'));
  const appFilters: unknown[] = [];
  if (!isAdmin) {
    const country = texts(own(given, 'countries'));
    appFilters.push(
      Object.freeze({ metricId: 'revenue', values: Object.freeze({ country, paid_orders: true }) }),
      Object.freeze({ metricId: 'orders', values: Object.freeze({ country: Object.freeze(['DE', 'FR']) }) }),
      Object.freeze({ metricId: 'margin', values: Object.freeze({ limit: 100 }) }),
    );
  }
  const period = Object.freeze({ startDate: '2024-01-01', endDate: '2024-12-31' });
  const values = Object.freeze({ region: text(own(given, 'region')), period });
  return Object.freeze({
    dataAppName: 'sales',
    clientId,
    params: Object.freeze({
      userIdentifier,
      allowedEmbeds: Object.freeze(['sales-overview', 'sales-detail']),
      timezone: 'Europe/Berlin',
      appFilters: Object.freeze(appFilters),
      dashboardAppFilters: Object.freeze([Object.freeze({ dashboardId: 'overview', isShowOnUrl: false, values })]),
      hideDashboardFilters: Object.freeze(['cost', 'margin']),
    }),
    permissions: Object.freeze({
      isEnableDownloadMetrics: true,
      isEnableUnderlyingData: false,
      isShowSideBar: true,
      isShowDashboardName: true,
      isEnableManageMetrics: false,
    }),
  });
}

const now = 1_800_000_000_000;
const decided = decide(policy, principal, undefined, now);
assert.ok(decided.kind === 'permit');
assert.deepEqual(decided.grant.request, byHand(principal));

/** Microseconds per call over one batch. */
function measure(run: () => unknown): number {
  const calls = 20_000;
  let kept = 0;
  const start = performance.now();
  for (let i = 0; i < calls; i += 1) if (run() !== undefined) kept += 1;
  const elapsed = performance.now() - start;
  assert.equal(kept, calls);
  return (elapsed * 1000) / calls;
}

const decideOnce = (): unknown => decide(policy, principal, undefined, now);
const byHandOnce = (): unknown => hash('sha256', JSON.stringify(byHand(principal)));
let [decideMicroseconds, byHandMicroseconds] = [Infinity, Infinity];
for (let round = 0; round < 20; round += 1) {
  decideMicroseconds = Math.min(decideMicroseconds, measure(decideOnce));
  byHandMicroseconds = Math.min(byHandMicroseconds, measure(byHandOnce));
}
const ratio = decideMicroseconds / byHandMicroseconds;

const { values: options } = parseArgs({ options: { json: { type: 'boolean', default: false } } });
console.log(
  options.json
    ? JSON.stringify({ decideMicroseconds, byHandMicroseconds, ratio })
    : `decide ${decideMicroseconds.toFixed(2)} µs, by hand ${byHandMicroseconds.toFixed(2)} µs, ratio ${ratio.toFixed(2)}`,
);
if (decideMicroseconds > maxMicroseconds || ratio > maxRatio) process.exitCode = 1;
