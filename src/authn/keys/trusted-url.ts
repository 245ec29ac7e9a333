// Which addresses keys are fetched from: https, http on this machine, or any http if that is switched on. None ever
// comes from a token.

const loopbackHost = /^(localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])$/;

/** As URL writes them: names below `localhost` (RFC 6761 §6.3), 0.0.0.0/8 and [::], and IPv4 within IPv6. */
const ownHost =
  /^(?:(?:.+\.)?localhost\.?|(?:127|0)(?:\.\d{1,3}){3}|\[::1?\]|\[::ffff:(?:7f[0-9a-f]{2}|[0-9a-f]{1,2}):[0-9a-f]{1,4}\])$/;

/** Whether the address is, or may be taken for, one on this machine. */
export const isOnThisMachine = (url: URL): boolean => ownHost.test(url.hostname);

export const isLoopbackUrl = (url: URL): boolean => loopbackHost.test(url.hostname);

/**
 * The address, or undefined unless it is https (http for loopback hosts, or with `allowHttp` for any) without user,
 * password or fragment.
 */
export function trustedUrl(text: string, allowHttp: boolean): URL | undefined {
  const url = URL.parse(text);
  if (url === null || url.username !== '' || url.password !== '' || url.hash !== '') return undefined;
  if (url.protocol === 'https:') return url;
  return url.protocol === 'http:' && (allowHttp || isLoopbackUrl(url)) ? url : undefined;
}

/** Where an issuer's metadata is (OpenID Connect Discovery §4.1), or undefined if its name is not such an address. */
export function discoveryUrl(iss: string, allowHttp: boolean): URL | undefined {
  const url = trustedUrl(iss, allowHttp);
  if (url === undefined || iss.includes('?')) return undefined;
  return trustedUrl(`${iss.replace(/\/$/, '')}/.well-known/openid-configuration`, allowHttp);
}
