// Which addresses keys are fetched from: https, or http on this machine. None ever comes from a token.

const loopbackHost = /^(localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])$/;

export const isLoopbackUrl = (url: URL): boolean => loopbackHost.test(url.hostname);

/** The address, or undefined unless it is https (http for loopback hosts) without user, password or fragment. */
export function trustedUrl(text: string): URL | undefined {
  const url = URL.parse(text);
  if (url === null || url.username !== '' || url.password !== '' || url.hash !== '') return undefined;
  if (url.protocol === 'https:') return url;
  return url.protocol === 'http:' && isLoopbackUrl(url) ? url : undefined;
}

/** Where an issuer's metadata is (OpenID Connect Discovery §4.1), or undefined if its name is not such an address. */
export function discoveryUrl(iss: string): URL | undefined {
  const url = trustedUrl(iss);
  if (url === undefined || iss.includes('?')) return undefined;
  return trustedUrl(`${iss.replace(/\/$/, '')}/.well-known/openid-configuration`);
}
