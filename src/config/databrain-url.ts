// DATABRAIN_API_URL: https, or http to loopback, with an optional path prefix.
import { isLoopback } from '../loopback.ts';
import type { Reader } from './environment.ts';

/** The upstream's base URL, which may have a path prefix; without a trailing slash. */
export function readDatabrainUrl(reader: Reader, insecureHttp: boolean): string {
  const text = reader.text('DATABRAIN_API_URL') ?? '';
  const fail = (problem: string, fix: string): string => {
    reader.report('DATABRAIN_API_URL', problem, fix);
    return '';
  };
  if (!URL.canParse(text)) return fail('is not a URL', 'Write it as https://databrain.example.com');
  const url = new URL(text);
  if (url.username !== '' || url.password !== '')
    return fail('holds credentials', 'Remove them; the API key is sent as Bearer');
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
