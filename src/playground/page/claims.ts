// Reads the claims that a person enters: JSON, or a pasted JWT, which is decoded here and not sent.

export type Claims = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Claims =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The claims set of a compact JWS (RFC 7515 §3.1) as indented JSON, or undefined for any other text. */
export function decodeJwt(text: string): string | undefined {
  const segments = text
    .trim()
    .replace(/^Bearer +/i, '')
    .split('.');
  const [, payload = ''] = segments;
  if (segments.length !== 3 || !/^[\w-]+$/.test(payload)) return undefined;
  try {
    const binary = atob(payload.replaceAll('-', '+').replaceAll('_', '/'));
    const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
    const claims: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return isObject(claims) ? `${JSON.stringify(claims, null, 2)}\n` : undefined;
  } catch {
    return undefined;
  }
}

export type ReadClaims = { readonly claims: Claims } | { readonly problem: string };

export function readClaims(text: string): ReadClaims {
  try {
    const claims: unknown = JSON.parse(text);
    return isObject(claims) ? { claims } : { problem: 'The claims must be a JSON object.' };
  } catch {
    return { problem: 'The claims are not valid JSON yet.' };
  }
}
