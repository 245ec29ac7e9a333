// The shadow policy is never used: its failures do not affect the request.
import { Writable } from 'node:stream';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { loadConfiguration } from '../../../src/config/load-configuration.ts';
import { decide } from '../../../src/policy/decide.ts';
import type { Policy } from '../../../src/policy/policy.ts';
import { createPolicies, type Policies } from '../../../src/reload/policies.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { principalOf } from '../../support/issuing.ts';
import { createManualClock } from '../../support/manual-clock.ts';
import { logMessages } from '../../support/sentences/log-messages.ts';

const policyText = `version: 1
dataApps:
  sales: { default: true, expiresIn: 1h, request: { clientId: acme, params: { allowedEmbeds: [a] } } }
`;
const settings = {
  JWT_ISSUER: 'https://login.example.com/',
  JWT_AUDIENCE: 'reports',
  DATABRAIN_API_KEY: '5d0b1d5e-77aa-4d0c-9a39-7f3c1f4f2f13',
  POLICY_FILE: 'policy.yaml',
  POLICY_SHADOW_FILE: 'shadow.yaml',
};

let policies: Policies;
afterEach(() => policies.close());

describe('a shadow policy that fails', () => {
  it('is logged and counted, and the request continues', async () => {
    const clock = createManualClock();
    const metrics = createMetrics();
    let logged = '';
    const output = new Writable({ write: (chunk, _encoding, done) => done(void (logged += String(chunk))) });
    const configuration = loadConfiguration(settings, () => Buffer.from(policyText));
    const broken: Policy = {
      ...configuration.policy.policy,
      get defaultDataApp(): never {
        throw new TypeError('a bug in the policy language, with acme in its message');
      },
    };
    policies = createPolicies({
      configuration: {
        ...configuration,
        shadow: { path: 'shadow.yaml', content: Buffer.from(policyText), policy: broken },
      },
      metrics,
      logger: pino({ serializers: { err: () => 'left out' } }, output),
      clock,
      readFile: () => Promise.resolve(Buffer.from(policyText)),
      pollIntervalMs: 60_000,
    });
    const principal = principalOf('ada');
    const decision = decide(policies.current(), principal, undefined, clock.now());
    expect(() => policies.compareWithShadow?.(principal, undefined, decision)).not.toThrow();
    expect(logged).toContain(logMessages.shadowFailed);
    expect((await metrics.expose()).text).toContain('guest_token_shadow_decisions_total{result="failed"} 1');
  });
});
