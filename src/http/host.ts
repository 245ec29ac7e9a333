// Checks the Host of a request (RFC 9112 §3.2): exactly one valid line in HTTP/1.1. The admin listener accepts only
// known hosts, because a page in an operator's browser can reach it under the page's own name (DNS rebinding).
import { ServiceError } from '../errors.ts';

/** RFC 3986 §3.2.2: a name, an IPv4 address or an IPv6 address in brackets, with an optional port; never empty. */
const hostField = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]+)(?::\d{0,5})?$/;

/** The head of a request, as Node keeps it. */
interface RawHead {
  readonly rawHeaders: readonly string[];
  readonly httpVersion: string;
}

/**
 * The Host; undefined for HTTP/1.0 without one. Throws INVALID_REQUEST if it is missing, malformed or repeated (Node
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

/** Lower case, without the port. An IPv6 address keeps its brackets. */
const nameOf = (host: string): string => host.replace(/:\d{0,5}$/, '').toLowerCase();

/** An address in the notation of Host. */
const asHost = (address: string): string => {
  const bare = address.replace(/^::ffff:(?=\d+\.)/i, '');
  return bare.includes(':') ? `[${bare}]` : bare.toLowerCase();
};

/**
 * Whether the admin listener accepts a Host: loopback names, its own address, and `hosts`. `localAddress` is the local
 * address of the connection.
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
