// Parses the upstream's response to a guest token or a fault. Pure. Only a token or a code of a known list is returned,
// never other text of the upstream.
import { codeFaults, type Fault, type UpstreamCode } from './upstream-fault.ts';

/** For responses without a known code. Only the first few hundred characters are checked. */
const messageFaults: readonly (readonly [RegExp, Fault])[] = [
  [/\b(?:invalid|expired|incorrect|missing|unknown|wrong) (?:api )?(?:key|token)\b/i, 'key_refused'],
  [
    /\bapi[ _-]?(?:key|token) (?:is |has |was )?(?:invalid|expired|incorrect|missing|not valid|wrong)\b/i,
    'key_refused',
  ],
  [/\b(?:unauthori[sz]ed|authentication (?:error|failed|required))\b/i, 'key_refused'],
  [/\b(?:rate limit|too many requests)/i, 'rate_limited'],
  [/\bdata ?app (?:was )?not found\b/i, 'request_refused'],
];

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export interface UpstreamAnswer {
  readonly status: number;
  /** As received. Compressed responses are not requested and not read. */
  readonly contentEncoding: string | undefined;
  readonly body: Uint8Array;
}

export type ParsedAnswer =
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'fault'; readonly fault: Fault; readonly upstreamCode?: UpstreamCode | undefined };

/**
 * Parses one complete response. A token needs all of: status 200, a JSON object, `error` absent or null, and an own
 * member `token` that is exactly a UUID. The `Content-Type` is ignored, because gateways change it.
 * Everything else is a fault, classified by the upstream's code, then its message, then the status. Never throws.
 */
export function parseResponse({ status, contentEncoding, body }: UpstreamAnswer): ParsedAnswer {
  if (status >= 300 && status <= 399) return { kind: 'fault', fault: 'redirected' };
  const document = isPlain(contentEncoding) ? parseObject(body) : undefined;
  const error = document?.['error'] ?? undefined;
  if (document !== undefined && status === 200 && error === undefined) {
    const token = document['token'];
    if (typeof token === 'string' && uuid.test(token)) return { kind: 'token', token };
  }
  return classify(status, error ?? document);
}

const isPlain = (contentEncoding: string | undefined): boolean =>
  contentEncoding === undefined || /^\s*(?:identity)?\s*$/i.test(contentEncoding);

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Parses JSON to an object without a prototype, so that only its own members are found. */
function parseObject(body: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(utf8.decode(body));
    return ownMembers(value);
  } catch {
    return undefined;
  }
}

function ownMembers(value: unknown): Readonly<Record<string, unknown>> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return Object.assign(Object.create(null) as Record<string, unknown>, value);
}

/** `error` is absent, an object or a string. Some versions have code and message at the top level. */
function classify(status: number, error: unknown): ParsedAnswer {
  const members = ownMembers(error);
  const texts = members === undefined ? [error] : [members['code'], members['error'], members['message']];
  const code = texts.find(isUpstreamCode);
  const byStatus = faultOfStatus(status);
  if (code !== undefined) {
    // A gateway's 503 in the vendor's usual format is still a 503, so it is retried.
    const isRetryable = byStatus === 'overloaded' || byStatus === 'rate_limited';
    const fault = codeFaults[code] === 'failed' && isRetryable ? byStatus : codeFaults[code];
    return { kind: 'fault', fault, upstreamCode: code };
  }
  if (byStatus !== 'rate_limited') {
    for (const text of texts) {
      if (typeof text !== 'string') continue;
      const match = messageFaults.find(([pattern]) => pattern.test(text.slice(0, 300)));
      if (match !== undefined) return { kind: 'fault', fault: match[1] };
    }
  }
  return { kind: 'fault', fault: byStatus };
}

const isUpstreamCode = (value: unknown): value is UpstreamCode =>
  typeof value === 'string' && Object.hasOwn(codeFaults, value);

function faultOfStatus(status: number): Fault {
  if (status === 401) return 'key_refused';
  if (status === 429) return 'rate_limited';
  if (status === 502 || status === 503 || status === 504) return 'overloaded';
  if (status >= 500) return 'failed';
  if (status >= 400) return 'request_refused';
  return 'unusable_answer';
}
