// The shapes of the tokens that identity providers issue, with invented values, for trying policies out: the presets of
// the playground and of `diff`. docs/examples has a policy for each of the providers.
import type { Claims } from '../../authn/principal.ts';

export interface ClaimsPreset {
  /** As the command line names it. */
  readonly name: string;
  /** As the playground names it. */
  readonly title: string;
  /** Without `iat` and `exp`. */
  readonly claims: Claims;
}

export const claimsPresets: readonly ClaimsPreset[] = [
  {
    name: 'plain',
    title: 'a plain provider',
    claims: {
      iss: 'https://login.example.com/',
      aud: 'https://api.example.com',
      sub: 'user-17',
      org_id: 'acme',
      role: 'viewer',
      region: 'EMEA',
      countries: ['DE', 'FR'],
      email_verified: true,
    },
  },
  {
    name: 'auth0',
    title: 'Auth0',
    claims: {
      iss: 'https://example.eu.auth0.com/',
      aud: ['https://reports.example.com', 'https://example.eu.auth0.com/userinfo'],
      sub: 'auth0|507f1f77bcf86cd799439011',
      org_id: 'org_9ybsU1dN2dKfDkBi',
      scope: 'openid profile read:reports',
      permissions: ['read:reports'],
      'https://example.com/roles': ['member'],
    },
  },
  {
    name: 'keycloak',
    title: 'Keycloak',
    claims: {
      iss: 'https://sso.example.com/realms/customers',
      aud: ['reports', 'account'],
      sub: 'f4a2a3a6-1f0d-4c9e-8f6e-1c8d4c0c7a11',
      typ: 'Bearer',
      realm_access: { roles: ['report-reader', 'offline_access'] },
      organization: ['acme'],
      email_verified: true,
    },
  },
  {
    name: 'entra',
    title: 'Microsoft Entra ID',
    claims: {
      iss: 'https://login.microsoftonline.com/aaaabbbb-0000-cccc-1111-dddd2222eeee/v2.0',
      aud: '6e74172b-be56-4843-9ff4-e66a39bb12e3',
      sub: 'AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ',
      tid: 'aaaabbbb-0000-cccc-1111-dddd2222eeee',
      oid: '00000000-0000-0000-66f3-3332eca7ea81',
      ver: '2.0',
      scp: 'Reports.Read',
      roles: ['Reports.Reader'],
    },
  },
  {
    name: 'cognito',
    title: 'Amazon Cognito',
    claims: {
      iss: 'https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_EXAMPLE',
      aud: '1example23456789',
      sub: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
      token_use: 'id',
      email_verified: true,
      'cognito:groups': ['analysts'],
      'custom:tenant_id': 'acme',
    },
  },
  {
    name: 'supabase',
    title: 'Supabase',
    claims: {
      iss: 'https://abcdefghijklmnopqrst.supabase.co/auth/v1',
      aud: 'authenticated',
      sub: 'd1a3f1a8-7b2e-4a5f-9a2b-1e2d3c4b5a69',
      role: 'authenticated',
      aal: 'aal1',
      is_anonymous: false,
      app_metadata: { provider: 'email', org_id: 'acme', org_role: 'member' },
      user_metadata: {},
    },
  },
  {
    name: 'firebase',
    title: 'Firebase',
    claims: {
      iss: 'https://securetoken.google.com/example-project',
      aud: 'example-project',
      sub: 'cGxheWdyb3VuZCB1c2VyIDE3',
      org_id: 'acme',
      org_role: 'manager',
      email_verified: true,
      firebase: { sign_in_provider: 'password' },
    },
  },
  {
    name: 'okta',
    title: 'Okta',
    claims: {
      iss: 'https://example.okta.com/oauth2/default',
      aud: 'api://default',
      sub: 'jo@acme.example',
      uid: '00uexample1user',
      cid: '0oaexample1client',
      scp: ['openid', 'reports.read'],
      org_id: 'acme',
      groups: ['reports-readers'],
    },
  },
  {
    name: 'clerk',
    title: 'Clerk',
    claims: {
      iss: 'https://clerk.example.com',
      aud: 'reports',
      sub: 'user_2exampleexample',
      azp: 'https://app.example.com',
      org_id: 'org_2exampleexample',
      org_role: 'org:member',
      email_verified: true,
    },
  },
];
