// Checks the addresses that keys are fetched from: https, http to loopback, or any http if allowed by a setting. No
// address comes from a token.
import { isLoopback } from '../../loopback.ts';

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

/** The address of an issuer's metadata (OpenID Connect Discovery §4.1); undefined if `iss` is not a trusted URL. */
export function discoveryUrl(iss: string, allowHttp: boolean): URL | undefined {
  const url = trustedUrl(iss, allowHttp);
  if (url === undefined || iss.includes('?')) return undefined;
  return trustedUrl(`${iss.replace(/\/$/, '')}/.well-known/openid-configuration`, allowHttp);
}
