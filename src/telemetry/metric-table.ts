// The table of all metrics: name, kind, labels, help and advice for operators. Tests compare docs/metrics.md, the
// alert rules and the dashboard with it. Callers control no label value: a label is a closed list of values, or has
// names from the configuration, which a text describes.
import { errorCodes } from '../errors.ts';
import { reasons } from '../refusal-reasons.ts';

export type MetricKind = 'counter' | 'gauge' | 'histogram';

/** A closed list of values, or a description of the configured names that the label has. */
export type LabelValues = readonly string[] | string;

export interface MetricRow {
  readonly name: string;
  readonly kind: MetricKind;
  readonly labels: Readonly<Record<string, LabelValues>>;
  /** One sentence; the HELP line of the exposition. */
  readonly help: string;
  /** Advice: what to do, or what it is for. */
  readonly advice: string;
  /** When it has no sample. Every other metric without an open label has one from the start. */
  readonly absent?: string;
}

const setting = 'the name of the setting';
const issuer = 'the configured `iss`';
const reloadResults = ['changed', 'failed'] as const;

export const metricTable = {
  requests: {
    name: 'guest_token_requests_total',
    kind: 'counter',
    labels: { code: ['ISSUED', ...errorCodes] },
    help: 'Requests for a guest token by outcome: ISSUED, or the code of the error.',
    advice: 'The share of `UPSTREAM_*`, `AUTHENTICATION_UNAVAILABLE` and `INTERNAL_ERROR` is the error rate.',
  },
  refusals: {
    name: 'guest_token_refusals_total',
    kind: 'counter',
    labels: { reason: reasons },
    help: 'Refused requests by reason, as in the audit line.',
    advice: 'What a reason of a token means and what to do about it is in `docs/errors`.',
  },
  requestSeconds: {
    name: 'guest_token_request_duration_seconds',
    kind: 'histogram',
    labels: {},
    help: 'Time from the arrival of a request to its decision.',
    advice: 'Compare it with the time of calls to Databrain to find the slow part.',
  },
  upstreamCalls: {
    name: 'guest_token_upstream_calls_total',
    kind: 'counter',
    labels: {
      result: [
        'token',
        'key_refused',
        'request_refused',
        'redirected',
        'unusable_answer',
        'answer_too_large',
        'answer_malformed',
        'answer_cut_off',
        'answer_misplaced',
        'token_repeated',
        'rate_limited',
        'failed',
        'overloaded',
        'unreachable',
        'connection_stale',
        'timed_out',
      ],
    },
    help: 'Calls to Databrain by result; retries count one by one.',
    advice:
      'Everything but `token` and `connection_stale` is a fault of Databrain, the network, the key or the policy.',
  },
  upstreamSeconds: {
    name: 'guest_token_upstream_call_duration_seconds',
    kind: 'histogram',
    labels: {},
    help: 'Time of one call to Databrain.',
    advice: 'Near `DATABRAIN_TIMEOUT_MS`: attempts are about to be cut off.',
  },
  upstreamKeyRefused: {
    name: 'guest_token_upstream_key_refused_total',
    kind: 'counter',
    labels: { setting },
    help: 'Times that Databrain refused an API key, also after its source was read again.',
    advice: 'Replace the key that the setting names.',
  },
  upstreamRetries: {
    name: 'guest_token_upstream_retries_total',
    kind: 'counter',
    labels: {},
    help: 'Further attempts after a failed call to Databrain.',
    advice: 'A rising share of all calls is the first sign of trouble at Databrain.',
  },
  circuit: {
    name: 'guest_token_circuit_open',
    kind: 'gauge',
    labels: {},
    help: 'Circuit to Databrain: 0 closed, 0.5 probing, 1 open.',
    advice: 'While it is open, Databrain is not called. See the result of the last calls for the reason.',
  },
  reuse: {
    name: 'guest_token_reuse_total',
    kind: 'counter',
    labels: { result: ['hit', 'shared', 'joined', 'spare', 'minted', 'renewed', 'failed'] },
    help: 'Tokens handed out, by where they came from: this process, Redis, a call under way, kept for an outage, minted. `renewed` and `failed` are renewals in the background.',
    advice: '`spare` means that users live on tokens kept for an outage. A low share of `hit`: see `TOKEN_REUSE`.',
  },
  keySetFetches: {
    name: 'guest_token_key_set_fetches_total',
    kind: 'counter',
    labels: {
      issuer,
      result: [
        'fetched',
        'timeout',
        'unreachable',
        'redirect',
        'status',
        'encoded',
        'too_large',
        'not_json',
        'issuer_mismatch',
        'address_refused',
        'set_refused',
        'no_usable_key',
        'bug',
      ],
    },
    help: 'Downloads of an issuer’s keys by result.',
    advice: 'A result other than `fetched` says why the keys could not be fetched.',
  },
  keySetAge: {
    name: 'guest_token_key_set_age_seconds',
    kind: 'gauge',
    labels: { issuer },
    help: 'Time since the last good download of the keys in use.',
    advice: 'Keys older than 6 hours are not used any more; then every token of that issuer is answered with 503.',
    absent: 'for an issuer whose keys are configured, and before the first good download',
  },
  policyInfo: {
    name: 'guest_token_policy_info',
    kind: 'gauge',
    labels: { revision: 'the first 12 hexadecimal digits of the policy file’s SHA-256' },
    help: 'The policy revision in use (value 1).',
    advice: 'Replicas with different revisions: a change did not arrive everywhere, or was refused somewhere.',
  },
  policyReloads: {
    name: 'guest_token_policy_reloads_total',
    kind: 'counter',
    labels: { result: reloadResults },
    help: 'Changes of the policy file: applied, or refused.',
    advice: '`failed`: the old policy stays in use. The log has file, line and problem.',
  },
  policyLastSuccess: {
    name: 'guest_token_policy_last_success_timestamp_seconds',
    kind: 'gauge',
    labels: {},
    help: 'When the policy in use was loaded, as seconds since 1970.',
    advice: 'Compare with the time of your deployment.',
  },
  shadowDecisions: {
    name: 'guest_token_shadow_decisions_total',
    kind: 'counter',
    labels: { result: ['same', 'different', 'failed'] },
    help: 'Decisions of the shadow policy compared with the policy in use.',
    advice: '`different`: look at the differences in the log before you make it the policy.',
  },
  secretReloads: {
    name: 'guest_token_secret_reloads_total',
    kind: 'counter',
    labels: { setting, result: reloadResults },
    help: 'Changes of a watched secret: applied, or refused.',
    advice: '`failed`: the old value stays in use. The log has the setting and the problem.',
  },
  secretReadable: {
    name: 'guest_token_secret_readable',
    kind: 'gauge',
    labels: { setting },
    help: 'Whether a secret could be read from its store when it was last tried: 1, or 0.',
    advice: '0: the last good value stays in use, so users notice nothing yet. The log has the problem.',
    absent: 'for secrets from the environment or a file',
  },
  secretStoreLogins: {
    name: 'guest_token_secret_store_logins_total',
    kind: 'counter',
    labels: { store: ['Vault'], result: ['ok', 'failed'] },
    help: 'Logins to a store of secrets.',
    advice: '`failed`: the secrets in use stay in use until the store can be read again. The log has the problem.',
  },
  spans: {
    name: 'guest_token_spans_total',
    kind: 'counter',
    labels: { result: ['exported', 'failed'] },
    help: 'Spans of traces that were sent to the collector, or could not be.',
    advice:
      '`failed`: traces have gaps; nothing else suffers. Look at `OTEL_EXPORTER_OTLP_ENDPOINT` and the collector.',
  },
  rateLimited: {
    name: 'guest_token_rate_limited_total',
    kind: 'counter',
    labels: { limit: ['address', 'user'] },
    help: 'Requests refused by a rate limit.',
    advice: '`address` for many users at once: `TRUST_PROXY` does not name your load balancer.',
  },
  protocolErrors: {
    name: 'guest_token_protocol_errors_total',
    kind: 'counter',
    labels: {},
    help: 'Connections that sent something other than an HTTP request.',
    advice: 'A scanner, or a load balancer that speaks TLS or HTTP/2 to this port.',
  },
  connectionsClosed: {
    name: 'guest_token_connections_closed_total',
    kind: 'counter',
    labels: { cause: ['total', 'address', 'pipelining', 'unread', 'offender'] },
    help: 'Client connections closed because of a bound: all connections together, those of one address, unanswered requests on one connection, an answer that was not read, a new connection of an address that had many closed for that.',
    advice:
      '`address` or `total` in normal times: a proxy in front that `TRUST_PROXY` does not name, or more replicas are needed.',
  },
  logLinesDropped: {
    name: 'guest_token_log_lines_dropped_total',
    kind: 'counter',
    labels: {},
    help: 'Lines of the log that were dropped because standard output was not read, or could not be written.',
    advice: 'Look at what reads the log. While it stands still no guest token is given: `AUDIT_UNAVAILABLE`.',
  },
  unknownOrigins: {
    name: 'guest_token_unknown_origins_total',
    kind: 'counter',
    labels: {},
    help: 'Requests from pages whose origin is not in `CORS_ORIGINS`.',
    advice: 'The log names each origin once. If it is a page of yours, add it.',
  },
  redisUp: {
    name: 'guest_token_redis_up',
    kind: 'gauge',
    labels: {},
    help: 'Whether Redis is used: 1, or 0 while the process goes on without it.',
    advice: '0: limits and reuse are per replica. Users notice nothing; look at Redis.',
    absent: 'without `REDIS_URL`',
  },
  redisTransitions: {
    name: 'guest_token_redis_transitions_total',
    kind: 'counter',
    labels: { state: ['up', 'down'] },
    help: 'Times Redis was lost or found again.',
    advice: 'Many in a short time: Redis or the network to it is slow or unstable.',
  },
} as const satisfies Readonly<Record<string, MetricRow>>;
