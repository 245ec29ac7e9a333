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
    advice: '`docs/errors` explains every reason, and what to do.',
  },
  requestSeconds: {
    name: 'guest_token_request_duration_seconds',
    kind: 'histogram',
    labels: {},
    help: 'Time from the arrival of a request until its response is ready.',
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
      'All results except `token` and `connection_stale` are errors of Databrain, the network, the key or the policy.',
  },
  upstreamSeconds: {
    name: 'guest_token_upstream_call_duration_seconds',
    kind: 'histogram',
    labels: {},
    help: 'Time of one call to Databrain.',
    advice: 'Near `DATABRAIN_TIMEOUT_MS`: calls are about to be cut off.',
  },
  upstreamKeyRefused: {
    name: 'guest_token_upstream_key_refused_total',
    kind: 'counter',
    labels: { setting },
    help: 'Times that Databrain refused an API key, also after the service read the key again.',
    advice: 'Replace the key that the setting names.',
  },
  upstreamRetries: {
    name: 'guest_token_upstream_retries_total',
    kind: 'counter',
    labels: {},
    help: 'Retries: further calls after a failed call to Databrain.',
    advice: 'If its share of all calls rises, Databrain may soon fail.',
  },
  circuit: {
    name: 'guest_token_circuit_open',
    kind: 'gauge',
    labels: {},
    help: 'Circuit to Databrain: 0 closed, 0.5 probing, 1 open.',
    advice: 'While it is open, Databrain is not called. The results of the last calls show the cause.',
  },
  reuse: {
    name: 'guest_token_reuse_total',
    kind: 'counter',
    labels: { result: ['hit', 'shared', 'joined', 'spare', 'minted', 'renewed', 'failed'] },
    help: 'Guest tokens sent, by source: this process (`hit`), Redis (`shared`), a running call (`joined`), a token kept for outages (`spare`), a new token (`minted`). `renewed` and `failed` are renewals in the background.',
    advice:
      '`spare`: new tokens cannot be minted, and users get the tokens kept for outages. If the share of `hit` is low, check `TOKEN_REUSE`.',
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
    advice: 'Every result except `fetched` says why the keys could not be fetched.',
  },
  keySetAge: {
    name: 'guest_token_key_set_age_seconds',
    kind: 'gauge',
    labels: { issuer },
    help: 'Time since the last successful download of the current keys.',
    advice: 'Keys older than 6 hours are no longer used; then every token of that issuer gets 503.',
    absent: 'for an issuer whose keys are configured, and before the first successful download',
  },
  policyInfo: {
    name: 'guest_token_policy_info',
    kind: 'gauge',
    labels: { revision: 'the first 12 hexadecimal digits of the policy file’s SHA-256' },
    help: 'The policy revision in use (value 1).',
    advice: 'If replicas have different revisions, a change did not reach all of them, or some refused it.',
  },
  policyReloads: {
    name: 'guest_token_policy_reloads_total',
    kind: 'counter',
    labels: { result: reloadResults },
    help: 'Changes of the policy file, applied or refused.',
    advice: '`failed`: the old policy stays in use. The log has file, line and problem.',
  },
  policyLastSuccess: {
    name: 'guest_token_policy_last_success_timestamp_seconds',
    kind: 'gauge',
    labels: {},
    help: 'When the current policy was loaded, in seconds since 1970.',
    advice: 'Compare it with the time of your deployment.',
  },
  shadowDecisions: {
    name: 'guest_token_shadow_decisions_total',
    kind: 'counter',
    labels: { result: ['same', 'different', 'failed'] },
    help: 'Decisions of the shadow policy, compared with the current policy.',
    advice: '`different`: read the differences in the log before you use this policy.',
  },
  secretReloads: {
    name: 'guest_token_secret_reloads_total',
    kind: 'counter',
    labels: { setting, result: reloadResults },
    help: 'Changes of a watched secret, applied or refused.',
    advice: '`failed`: the old value stays in use. The log has the setting and the problem.',
  },
  secretReadable: {
    name: 'guest_token_secret_readable',
    kind: 'gauge',
    labels: { setting },
    help: 'Whether the last attempt to read a secret from its store succeeded: 1, or 0.',
    advice: '0: the last valid value stays in use, so users are not affected yet. The log has the problem.',
    absent: 'for secrets from the environment or a file',
  },
  secretStoreLogins: {
    name: 'guest_token_secret_store_logins_total',
    kind: 'counter',
    labels: { store: ['Vault'], result: ['ok', 'failed'] },
    help: 'Logins to a secret store.',
    advice: '`failed`: the current secrets stay in use until the store can be read again. The log has the problem.',
  },
  spans: {
    name: 'guest_token_spans_total',
    kind: 'counter',
    labels: { result: ['exported', 'failed'] },
    help: 'Spans that were sent to the collector, or could not be sent.',
    advice:
      '`failed`: traces are incomplete; requests are not affected. Check `OTEL_EXPORTER_OTLP_ENDPOINT` and the collector.',
  },
  rateLimited: {
    name: 'guest_token_rate_limited_total',
    kind: 'counter',
    labels: { limit: ['address', 'user'] },
    help: 'Requests refused by a rate limit.',
    advice: '`address` for many users at the same time: your load balancer is missing in `TRUST_PROXY`.',
  },
  protocolErrors: {
    name: 'guest_token_protocol_errors_total',
    kind: 'counter',
    labels: {},
    help: 'Connections that sent something other than an HTTP request.',
    advice: 'The cause is a scanner, or a load balancer that sends TLS or HTTP/2 to this port.',
  },
  connectionsClosed: {
    name: 'guest_token_connections_closed_total',
    kind: 'counter',
    labels: { cause: ['total', 'address', 'pipelining', 'unread', 'offender'] },
    help: 'Client connections closed because of a limit: too many in total, too many of one address, too many unanswered requests on a connection (`pipelining`), a response that was not read (`unread`), or an address with many such connections (`offender`).',
    advice:
      '`address` or `total` under normal load: a proxy in front is missing in `TRUST_PROXY`, or more replicas are needed.',
  },
  logLinesDropped: {
    name: 'guest_token_log_lines_dropped_total',
    kind: 'counter',
    labels: {},
    help: 'Log lines that were dropped because standard output was not read, or could not be written.',
    advice:
      'Check the process that reads the log. While it does not read, no guest token is issued: `AUDIT_UNAVAILABLE`.',
  },
  unknownOrigins: {
    name: 'guest_token_unknown_origins_total',
    kind: 'counter',
    labels: {},
    help: 'Requests from pages whose origin is not in `CORS_ORIGINS`.',
    advice: 'The log has each origin once. If it is your page, add it to `CORS_ORIGINS`.',
  },
  redisUp: {
    name: 'guest_token_redis_up',
    kind: 'gauge',
    labels: {},
    help: 'Whether Redis is used: 1, or 0 while the process works without it.',
    advice: '0: limits and reuse are per replica. Users are not affected; check Redis.',
    absent: 'without `REDIS_URL`',
  },
  redisTransitions: {
    name: 'guest_token_redis_transitions_total',
    kind: 'counter',
    labels: { state: ['up', 'down'] },
    help: 'Times that Redis became unavailable, or available again.',
    advice: 'If there are many in a short time, Redis or the network to it is slow or unstable.',
  },
} as const satisfies Readonly<Record<string, MetricRow>>;
