// The settings of the egress proxy: for https, for http, and the exceptions. TLS verification cannot be disabled.
import type { EgressSettings } from '../egress/egress.ts';
import type { EgressProxy } from '../egress/tunnel.ts';
import { unusableEntries } from '../egress/no-proxy.ts';
import { Secret } from '../secrets/secret.ts';
import type { SettingReader } from './setting-reader.ts';

type ProxySetting = 'HTTPS_PROXY' | 'HTTP_PROXY' | 'NO_PROXY';

/** Most programs read these variables in lower case too, and images and clusters set either or both. */
function textOf(reader: SettingReader, name: ProxySetting): string | undefined {
  const lower = reader.raw(name.toLowerCase());
  const upper = reader.text(name);
  if (lower !== undefined && upper !== undefined && lower !== upper) {
    return reader.report(name, `differs from ${name.toLowerCase()}`, 'Keep one of the two, or set both to the same');
  }
  return upper ?? lower;
}

/** RFC 7617: user and password, which URLs have percent-encoded, in Base64. */
function authorizationOf({ username, password }: URL): Secret | undefined {
  if (username === '' && password === '') return undefined;
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return new Secret(`Basic ${Buffer.from(credentials).toString('base64')}`);
}

function readProxy(reader: SettingReader, name: 'HTTPS_PROXY' | 'HTTP_PROXY'): EgressProxy | undefined {
  const text = textOf(reader, name);
  if (text === undefined) return undefined;
  const example = 'Write it as http://proxy.example.com:3128';
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    return reader.report(name, 'is not an http or https address', example);
  }
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    return reader.report(name, 'has a path, query or fragment', example);
  }
  try {
    return { origin: url.origin, authorization: authorizationOf(url) };
  } catch {
    return reader.report(name, 'has credentials with a broken percent escape', 'Write a percent sign as %25');
  }
}

/** Problems never hold the value: it may carry a password. */
export function readEgress(reader: SettingReader): EgressSettings {
  const noProxy = textOf(reader, 'NO_PROXY') ?? '';
  if (unusableEntries(noProxy).length > 0) {
    reader.report(
      'NO_PROXY',
      'has an entry that is not a host, domain, address or CIDR range',
      'Write hosts like example.com, addresses like 10.0.0.1 and ranges like 10.0.0.0/8, with a port or without, comma-separated',
    );
  }
  return { https: readProxy(reader, 'HTTPS_PROXY'), http: readProxy(reader, 'HTTP_PROXY'), noProxy };
}

/** The service verifies certificates anyway, but an operator who sets this variable expects otherwise. */
export function refuseUncheckedTls(reader: SettingReader): void {
  const name = 'NODE_TLS_REJECT_UNAUTHORIZED';
  if ((reader.raw(name) ?? '1') === '1') return;
  reader.report(
    name,
    'would disable the verification of certificates',
    'Remove it; name the CA of a private certificate in NODE_EXTRA_CA_CERTS',
  );
}
