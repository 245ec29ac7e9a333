// Which addresses from the configuration may be used: https, http to loopback, where it never crosses a network, or any
// http if a setting allows it. Names are taken as written, without DNS.

const loopbackHosts: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);

/** Whether a URL's host is a loopback name or address. */
export const isLoopback = (url: URL): boolean =>
  loopbackHosts.has(url.hostname) || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(url.hostname);

/**
 * Further hosts that may reach this machine: names below `localhost` (RFC 6761 §6.3), 0.0.0.0/8, [::], IPv4 in IPv6.
 */
const ownHost =
  /^(?:(?:.+\.)?localhost\.?|(?:127|0)(?:\.\d{1,3}){3}|\[::1?\]|\[::ffff:(?:7f[0-9a-f]{2}|[0-9a-f]{1,2}):[0-9a-f]{1,4}\])$/;

/** Whether the address may reach this machine. */
export const isOnThisMachine = (url: URL): boolean => ownHost.test(url.hostname);

/**
 * The URL; undefined unless it is https (or http for loopback hosts, or for any host with `allowHttp`) without user,
 * password and fragment.
 */
export function trustedUrl(text: string, allowHttp: boolean): URL | undefined {
  const url = URL.parse(text);
  if (url === null || url.username !== '' || url.password !== '' || url.hash !== '') return undefined;
  if (url.protocol === 'https:') return url;
  return url.protocol === 'http:' && (allowHttp || isLoopback(url)) ? url : undefined;
}
