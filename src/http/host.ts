// The Host of a request (RFC 9112 §3.2): exactly one valid line in HTTP/1.1. On the admin listener it is one of a closed
// list: a page in an operator's browser can reach that listener under a name of its own (DNS rebinding), but not
// under one that is in the list.
import { ServiceError } from '../errors.ts';

/** RFC 3986 §3.2.2: a name, an IPv4 address or an IPv6 address in brackets, perhaps with a port; never empty for http. */
const hostField = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]+)(?::\d{0,5})?$/;

/** What Node keeps of a request's head. */
interface RawHead {
  readonly rawHeaders: readonly string[];
  readonly httpVersion: string;
}

/**
 * The one Host, or undefined where HTTP/1.0 names none. Throws INVALID_REQUEST for several, none or malformed ones (Node
 * silently keeps the first), and for other versions of HTTP.
 */
export function readHost({ rawHeaders, httpVersion }: RawHead): string | undefined {
  if (httpVersion !== '1.1' && httpVersion !== '1.0') {
    throw new ServiceError('INVALID_REQUEST', 'version_refused', { status: 505 });
  }
  let host: string | undefined;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index];
    if (name?.length !== 4 || name.toLowerCase() !== 'host') continue;
    const value = rawHeaders[index + 1] ?? '';
    if (host !== undefined || !hostField.test(value)) throw new ServiceError('INVALID_REQUEST', 'host_refused');
    host = value;
  }
  if (host === undefined && httpVersion === '1.1') throw new ServiceError('INVALID_REQUEST', 'host_refused');
  return host;
}

const loopback = /^(?:localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])$/;

/** Without its port and in small letters; an IPv6 address keeps its brackets. */
const nameOf = (host: string): string => host.replace(/:\d{0,5}$/, '').toLowerCase();

/** An address as a Host names it. */
const asHost = (address: string): string => {
  const bare = address.replace(/^::ffff:(?=\d+\.)/i, '');
  return bare.includes(':') ? `[${bare}]` : bare.toLowerCase();
};

/**
 * Whether the admin listener answers to a Host: loopback names, the address that it listens on and was reached at, and
 * `hosts`. `localAddress` is the connection's own end.
 */
export function createHostList(
  hosts: readonly string[],
): (host: string | undefined, localAddress: string | undefined) => boolean {
  const listed = new Set(hosts.flatMap((host) => [nameOf(host), asHost(host)]));
  return (host, localAddress) => {
    if (host === undefined) return true;
    const name = nameOf(host);
    return loopback.test(name) || listed.has(name) || (localAddress !== undefined && name === asHost(localAddress));
  };
}
