// Claims as a person gives them: JSON, or a pasted JWT, which is decoded here and goes nowhere. And the shapes of the
// access tokens that identity providers issue.

export type Claims = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Claims =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The claims set of a compact JWS (RFC 7515 §3.1) as indented JSON, or undefined if the text is none. */
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

const now = (): number => Math.floor(Date.now() / 1000);
const times = () => ({ iat: now(), exp: now() + 3_600 });

export const presets: readonly (readonly [name: string, claims: () => Claims])[] = [
  [
    'a plain provider',
    () => ({
      iss: 'https://login.example.com/',
      aud: 'https://api.example.com',
      sub: 'user-17',
      org_id: 'acme',
      role: 'viewer',
      region: 'EMEA',
      countries: ['DE', 'FR'],
      email_verified: true,
      ...times(),
    }),
  ],
  [
    'Auth0',
    () => ({
      iss: 'https://example.eu.auth0.com/',
      aud: ['https://reports.example.com', 'https://example.eu.auth0.com/userinfo'],
      sub: 'auth0|507f1f77bcf86cd799439011',
      org_id: 'org_9ybsU1dN2dKfDkBi',
      scope: 'openid profile read:reports',
      permissions: ['read:reports'],
      'https://example.com/roles': ['member'],
      ...times(),
    }),
  ],
  [
    'Keycloak',
    () => ({
      iss: 'https://sso.example.com/realms/customers',
      aud: ['reports', 'account'],
      sub: 'f4a2a3a6-1f0d-4c9e-8f6e-1c8d4c0c7a11',
      typ: 'Bearer',
      realm_access: { roles: ['report-reader', 'offline_access'] },
      organization: ['acme'],
      email_verified: true,
      ...times(),
    }),
  ],
  [
    'Microsoft Entra ID',
    () => ({
      iss: 'https://login.microsoftonline.com/aaaabbbb-0000-cccc-1111-dddd2222eeee/v2.0',
      aud: '6e74172b-be56-4843-9ff4-e66a39bb12e3',
      sub: 'AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ',
      tid: 'aaaabbbb-0000-cccc-1111-dddd2222eeee',
      oid: '00000000-0000-0000-66f3-3332eca7ea81',
      ver: '2.0',
      scp: 'Reports.Read',
      roles: ['Reports.Reader'],
      ...times(),
    }),
  ],
  [
    'Amazon Cognito',
    () => ({
      iss: 'https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_EXAMPLE',
      aud: '1example23456789',
      sub: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
      token_use: 'id',
      email_verified: true,
      'cognito:groups': ['analysts'],
      'custom:tenant_id': 'acme',
      ...times(),
    }),
  ],
  [
    'Supabase',
    () => ({
      iss: 'https://abcdefghijklmnopqrst.supabase.co/auth/v1',
      aud: 'authenticated',
      sub: 'd1a3f1a8-7b2e-4a5f-9a2b-1e2d3c4b5a69',
      role: 'authenticated',
      aal: 'aal1',
      is_anonymous: false,
      app_metadata: { provider: 'email', org_id: 'acme', org_role: 'member' },
      user_metadata: {},
      ...times(),
    }),
  ],
  [
    'Firebase',
    () => ({
      iss: 'https://securetoken.google.com/example-project',
      aud: 'example-project',
      sub: 'cGxheWdyb3VuZCB1c2VyIDE3',
      org_id: 'acme',
      org_role: 'manager',
      email_verified: true,
      firebase: { sign_in_provider: 'password' },
      ...times(),
    }),
  ],
];
