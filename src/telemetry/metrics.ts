// Prometheus metrics, prefix guest_token_. No label value comes from a caller: codes, results and names of settings only.
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

const latencyBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Creates a registry of its own, so that two services in one process (as in tests) never share a counter. */
export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Counter<L>({ name: `guest_token_${name}`, help, labelNames, registers });
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Gauge<L>({ name: `guest_token_${name}`, help, labelNames, registers });
  const histogram = (name: string, help: string) =>
    new Histogram({ name: `guest_token_${name}`, help, buckets: latencyBuckets, registers });

  return {
    requests: counter('requests_total', 'Decisions by outcome: ISSUED or the error code.', ['code']),
    requestSeconds: histogram('request_duration_seconds', 'Time from the request to its decision.'),
    upstreamCalls: counter('upstream_calls_total', 'Calls to Databrain by result.', ['result']),
    upstreamSeconds: histogram('upstream_call_duration_seconds', 'Time of one call to Databrain.'),
    upstreamKeyRefused: counter('upstream_key_refused_total', 'Calls that Databrain refused for their API key.', [
      'setting',
    ]),
    reuse: counter('reuse_total', 'Reuse of tokens by result.', ['result']),
    upstreamRetries: counter('upstream_retries_total', 'Further attempts after a failed call.', []),
    circuit: gauge('circuit_open', 'Circuit to Databrain: 0 closed, 0.5 probing, 1 open.'),
    keySetFetches: counter('key_set_fetches_total', 'Key set downloads by result.', ['issuer', 'result']),
    keySetAge: gauge('key_set_age_seconds', 'Age of the keys in use.', ['issuer']),
    policyInfo: gauge('policy_info', 'The policy revision in use (value 1).', ['revision']),
    policyReloads: counter('policy_reloads_total', 'Policy reloads by result.', ['result']),
    policyLastSuccess: gauge('policy_last_success_timestamp_seconds', 'When the policy in use was loaded.'),
    shadowDecisions: counter('shadow_decisions_total', 'Shadow decisions: same, different or failed.', ['result']),
    secretReloads: counter('secret_reloads_total', 'Reloads of secret files by result.', ['setting', 'result']),
    rateLimited: counter('rate_limited_total', 'Requests refused by a rate limit.', ['limit']),
    protocolErrors: counter('protocol_errors_total', 'Requests refused before they were HTTP requests.', []),
    redisUp: gauge('redis_up', 'Whether Redis is used: 1, or 0 while the process goes on without it.'),
    redisTransitions: counter('redis_transitions_total', 'Times Redis was lost or found again.', ['state']),
    /** The exposition text and its content type. */
    expose: async (): Promise<{ contentType: string; text: string }> => ({
      contentType: registry.contentType,
      text: await registry.metrics(),
    }),
  };
}

export type Metrics = ReturnType<typeof createMetrics>;
