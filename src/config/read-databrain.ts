// Reads the DATABRAIN_* settings: address (https, or http to loopback, with an optional path prefix), times, retries.
import { isLoopback } from '../trusted-url.ts';
import type { SettingReader } from './setting-reader.ts';

export interface DatabrainSettings {
  readonly url: string;
  readonly timeoutMs: number;
  readonly deadlineMs: number;
  readonly maxRetries: number;
}

/** The upstream's base URL, which may have a path prefix; without a trailing slash. */
export function readDatabrainUrl(reader: SettingReader, insecureHttp: boolean): string {
  const text = reader.text('DATABRAIN_API_URL') ?? '';
  const fail = (problem: string, fix: string): string => {
    reader.report('DATABRAIN_API_URL', problem, fix);
    return '';
  };
  if (!URL.canParse(text)) return fail('is not a URL', 'Write it as https://databrain.example.com');
  const url = new URL(text);
  if (url.username !== '' || url.password !== '')
    return fail('contains credentials', 'Remove them; the API key is sent as Bearer');
  if (url.search !== '' || url.hash !== '')
    return fail('has a query or fragment', 'Keep scheme, host, port and path only');
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return fail('is not https', 'Use https');
  if (url.protocol === 'http:' && !isLoopback(url) && !insecureHttp) {
    return fail(
      'is http: the API key would cross the network in clear text',
      'Use https, or accept the risk with INSECURE_DATABRAIN_HTTP=true',
    );
  }
  const path = url.pathname.replace(/\/+$/, '');
  if (/\/api\/v\d+(\/|$)/.test(path)) {
    return fail('ends in a path of the API itself', 'Stop before /api/v2: the service adds /api/v2/guest-token/create');
  }
  return `${url.origin}${path}`;
}

export function readDatabrain(reader: SettingReader): DatabrainSettings {
  const insecureHttp = reader.flag('INSECURE_DATABRAIN_HTTP');
  const timeoutMs = reader.integer('DATABRAIN_TIMEOUT_MS', 10, 60_000) ?? 0;
  const deadlineMs = reader.integer('DATABRAIN_DEADLINE_MS', 10, 120_000) ?? 0;
  if (deadlineMs < timeoutMs) {
    reader.report(
      'DATABRAIN_DEADLINE_MS',
      'is shorter than DATABRAIN_TIMEOUT_MS',
      'The deadline of all calls must be at least the time of one',
    );
  }
  const maxRetries = reader.integer('DATABRAIN_MAX_RETRIES', 0, 5) ?? 0;
  return { url: readDatabrainUrl(reader, insecureHttp), timeoutMs, deadlineMs, maxRetries };
}
