// A login with three users and no passwords. It signs access tokens (JWT, RFC 7519) as an identity provider would.
import { createHmac, randomBytes } from 'node:crypto';

export interface DemoUser {
  readonly id: string;
  readonly name: string;
  readonly title: string;
  /** The claims of the access token, except iss, aud, iat and exp. */
  readonly claims: Readonly<Record<string, unknown>>;
}

export const demoUsers: readonly DemoUser[] = [
  {
    id: 'ada',
    name: 'Ada',
    title: 'Viewer at Acme',
    claims: {
      sub: 'ada',
      org_id: 'acme',
      role: 'viewer',
      region: 'emea',
      countries: ['Germany'],
      email_verified: true,
    },
  },
  {
    id: 'grace',
    name: 'Grace',
    title: 'Administrator at Acme',
    claims: { sub: 'grace', org_id: 'acme', role: 'admin', email_verified: true },
  },
  {
    id: 'hedy',
    name: 'Hedy',
    title: 'Viewer at Globex',
    claims: {
      sub: 'hedy',
      org_id: 'globex',
      role: 'viewer',
      region: 'emea',
      countries: ['Italy', 'Spain'],
      email_verified: true,
    },
  },
];

/**
 * `short`: expires in 40 seconds. `expired`: expired an hour ago. `tampered`: has the other tenant with the signature
 * for the first.
 */
export type TokenKind = 'valid' | 'short' | 'expired' | 'tampered';

export interface DemoLogin {
  readonly issuer: string;
  readonly audience: string;
  /** HMAC key of the access tokens, created at start and shared with the proxy only. */
  readonly secret: string;
  readonly signIn: (user: DemoUser, kind?: TokenKind) => string;
}

const hourSeconds = 3600;
const shortSeconds = 40;
const base64url = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** @param now milliseconds since the epoch */
export function createDemoLogin(now: () => number = Date.now): DemoLogin {
  const issuer = 'https://login.demo.example';
  const audience = 'guest-token-demo';
  const secret = randomBytes(32).toString('hex');

  const sign = (payload: object, shown: object = payload): string => {
    const header = base64url({ alg: 'HS256', typ: 'JWT' });
    const signature = createHmac('sha256', secret)
      .update(`${header}.${base64url(payload)}`)
      .digest('base64url');
    return `${header}.${base64url(shown)}.${signature}`;
  };

  return {
    issuer,
    audience,
    secret,
    signIn({ claims }, kind = 'valid') {
      const seconds = Math.floor(now() / 1000);
      const iat = kind === 'expired' ? seconds - 9 * hourSeconds : seconds;
      const exp = iat + (kind === 'short' ? shortSeconds : 8 * hourSeconds);
      const payload = { iss: issuer, aud: audience, iat, exp, ...claims };
      if (kind !== 'tampered') return sign(payload);
      return sign(payload, { ...payload, role: 'admin', org_id: claims['org_id'] === 'acme' ? 'globex' : 'acme' });
    },
  };
}
