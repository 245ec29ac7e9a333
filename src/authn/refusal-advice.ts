// Advice for the operator about refused tokens: the usual cause and fix of each reason, and common mistakes with widely
// used providers. The pages in docs/errors have the same texts; a test compares them.
import type { AuthnReason } from '../refusal-reasons.ts';
import type { TokenRefusal } from './token-refusal.ts';

export interface Advice {
  readonly cause: string;
  readonly fix: string;
}

export const adviceByReason = {
  credentials_missing: {
    cause: 'The request has no `Authorization` header, and no configured cookie or header.',
    fix: 'Send `Authorization: Bearer <token>`. Check that no proxy in between removes it, and that the page sends cookies (`credentials: "include"`).',
  },
  credentials_malformed: {
    cause: 'The scheme is not `Bearer`, or the value cannot be a token: it has quotes or spaces, or is `undefined`.',
    fix: 'Send only the token after `Bearer `. Check what the page sends: often it is the string `undefined` or `[object Promise]`.',
  },
  credentials_ambiguous: {
    cause: 'Two credentials in one request: two `Authorization` lines, or a header and a cookie.',
    fix: "Send one. A gateway that adds the header must replace the client's.",
  },
  origin_refused: {
    cause: 'The token came in a cookie or in a gateway’s header, and the page is not from an allowed origin.',
    fix: 'Add the origin of the page to `CORS_ORIGINS`. Behind a proxy, forward `Host` and name the proxy in `TRUST_PROXY`.',
  },
  token_too_large: {
    cause: 'The token is longer than 16 KiB, usually because it lists every group of the user.',
    fix: 'Configure the provider to put fewer groups or roles into the token. With Entra, which sends up to 200 groups, use application roles.',
  },
  token_malformed: {
    cause: 'The token is not three base64url segments with JSON: it is opaque, encrypted, truncated or not a JWT.',
    fix: 'Configure the provider to issue a signed JWT for your API. Auth0 issues an opaque token if the login requests no `audience`; an encrypted one (JWE) has five segments and is not supported.',
  },
  token_header_refused: {
    cause: 'The header has `crit`, `b64`, `zip` or `enc`, or a `kid` that is not a string.',
    fix: 'Configure the issuer to sign plain JWTs (RFC 7519).',
  },
  token_type_refused: {
    cause: '`typ` is not `JWT` or `at+jwt`, or not the one in the issuers file; or the token is nested.',
    fix: 'Send the access token, not another kind of token; or set `typ` in the issuers file.',
  },
  algorithm_refused: {
    cause: '`alg` is not configured for this issuer, or the key that `kid` names is for another algorithm.',
    fix: 'Add the algorithm that your issuer uses to `JWT_ALGORITHMS`. HMAC and public-key algorithms need different key sources.',
  },
  issuer_refused: {
    cause:
      '`iss` is not exactly a configured issuer. Usual differences: a trailing slash, http for https, another host name or realm.',
    fix: 'Set `JWT_ISSUER` to exactly the `iss` of the token, including a trailing slash, the scheme and the realm or tenant.',
  },
  audience_refused: {
    cause: '`aud` has none of the configured audiences: the token is for another API, or it is an ID token.',
    fix: 'Request a token for this API, and set `JWT_AUDIENCE` to its `aud`. Keycloak: add an Audience mapper. Entra: the application id of the API, with or without `api://`.',
  },
  key_unknown: {
    cause:
      'The issuer publishes no key with this `kid`: the key was withdrawn, or the token is from another environment.',
    fix: 'Let the user log in again. If all users are refused, check that the key set belongs to the realm or tenant that signed the token.',
  },
  key_not_looked_up: {
    cause:
      'The `kid` is unknown, and the keys could not be fetched again or were fetched too often in the last 30 seconds.',
    fix: 'Wait a minute. If it continues, check in the log why keys could not be fetched, and who sends tokens with an unknown `kid`.',
  },
  signature_invalid: {
    cause:
      'The signature does not match a configured key: the secret differs, the token was changed or forged, or the signer decodes the secret first.',
    fix: 'Compare the keys. For an HMAC secret, see `JWT_SECRET_ENCODING`.',
  },
  claim_missing: {
    cause:
      'A required claim is absent: `iss`, `aud`, `exp`, the user’s claim, or `iat` if `JWT_MAX_LIFETIME_SECONDS` is set.',
    fix: 'Configure the provider to add it. For the user’s id, set `JWT_USER_CLAIM` to the claim that holds it.',
  },
  claim_invalid: {
    cause:
      'A claim has the wrong type: for example a time that is a string, or an `aud` that is not a string or a list of strings.',
    fix: 'Correct the issuer: it must follow RFC 7519.',
  },
  subject_refused: {
    cause: 'The user’s claim is empty or invisible, or is not a string or a whole number within 2^53.',
    fix: 'Set `JWT_USER_CLAIM` to a claim that identifies each user.',
  },
  token_expired: {
    cause: '`exp` has passed. Everything else about the token is valid.',
    fix: 'The app refreshes its token and retries. If a fresh token is refused, compare the clocks.',
  },
  token_not_yet_valid: {
    cause: '`nbf` is in the future.',
    fix: 'Synchronise the clocks with NTP. `JWT_CLOCK_TOLERANCE_SECONDS` allows for up to two minutes.',
  },
  token_issued_in_future: {
    cause: '`iat` is in the future.',
    fix: 'Synchronise the clocks with NTP. `JWT_CLOCK_TOLERANCE_SECONDS` allows for up to two minutes.',
  },
  token_lifetime_too_long: {
    cause: '`exp - iat` is longer than `JWT_MAX_LIFETIME_SECONDS`.',
    fix: 'Configure shorter lifetimes in the provider, or raise the setting.',
  },
  keys_unavailable: {
    cause: 'The issuer’s keys could not be fetched since the start, or not for the last six hours.',
    fix: 'See the log: it has the address, the status or error code, and the fix. `check --live` fetches the keys at once.',
  },
} as const satisfies Readonly<Record<AuthnReason, Advice>>;

interface Provider {
  readonly name: string;
  readonly iss: RegExp;
  /** By reason, or by reason and claim. */
  readonly hints: Readonly<Partial<Record<AuthnReason | `claim_missing ${string}`, string>>>;
}

const keycloakAudience =
  'add an Audience mapper: Clients, your client, Client scopes, its dedicated scope, Add mapper, Audience';

const providers: readonly Provider[] = [
  {
    name: 'Keycloak',
    iss: /\/realms\/[^/]+\/?$/,
    hints: {
      audience_refused: keycloakAudience,
      'claim_missing aud': keycloakAudience,
      'claim_missing sub': 'since version 25 `sub` is in the client scope `basic`: add it to the client',
      issuer_refused: 'iss follows the host name that the browser used: configure one fixed hostname',
    },
  },
  {
    name: 'Auth0',
    iss: /\.auth0\.com\/?$/,
    hints: {
      token_malformed: 'an opaque or encrypted token means that no audience was requested: pass `audience` at login',
      audience_refused: 'aud is the identifier on the settings page of the API',
      issuer_refused: 'iss ends with a slash',
    },
  },
  {
    name: 'Microsoft Entra',
    iss: /^https:\/\/(login\.microsoftonline\.com|sts\.windows\.net)\//,
    hints: {
      audience_refused:
        'request a scope of your own API (api://…/.default); aud is its client id, or its URI in v1.0 tokens',
      issuer_refused:
        'v1.0 tokens come from sts.windows.net, v2.0 from login.microsoftonline.com/<tenant>/v2.0: set requestedAccessTokenVersion to 2',
      signature_invalid: 'only Microsoft Graph can verify a token for Graph: request a token for your own API',
    },
  },
  {
    name: 'Amazon Cognito',
    iss: /^https:\/\/cognito-idp\./,
    hints: {
      'claim_missing aud':
        'access tokens have client_id instead of aud: send the ID token, or allow the missing aud for this issuer and let the policy check client_id',
    },
  },
  {
    name: 'Okta',
    iss: /\.okta(preview)?\.com(\/|$)/,
    hints: {
      signature_invalid:
        'only Okta can verify tokens of the org authorization server: use a custom one (/oauth2/default)',
      issuer_refused: 'a custom authorization server is part of iss: https://<domain>/oauth2/<id>',
    },
  },
  {
    name: 'Firebase',
    iss: /^https:\/\/securetoken\.google\.com\//,
    hints: { audience_refused: 'aud is the project id' },
  },
  {
    name: 'Supabase',
    iss: /\.supabase\.co\//,
    hints: {
      audience_refused: 'aud is `authenticated` for users who have logged in',
      algorithm_refused: 'HS256 is the legacy secret: move the project to JWT signing keys',
    },
  },
  {
    name: 'Clerk',
    iss: /^https:\/\/(clerk\.|[^/]+\.clerk\.accounts\.dev$)/,
    hints: {
      'claim_missing aud': 'session tokens have no aud: make a JWT template that sets it, and ask for its token',
    },
  },
];

/**
 * The advice for a refusal, with a hint if a configured issuer, or the refused `iss`, belongs to a known provider.
 */
export function adviceOn(refusal: TokenRefusal, issuers: readonly string[]): Advice & { readonly hint?: string } {
  const { reason, claim, received } = refusal;
  const names = claim === 'iss' && typeof received === 'string' ? [received, ...issuers] : issuers;
  for (const { name, iss, hints } of providers) {
    if (!names.some((candidate) => iss.test(candidate))) continue;
    const hint = (reason === 'claim_missing' ? hints[`claim_missing ${claim ?? ''}`] : undefined) ?? hints[reason];
    if (hint !== undefined) return { ...adviceByReason[reason], hint: `${name}: ${hint}` };
  }
  return adviceByReason[reason];
}
