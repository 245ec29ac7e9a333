// What an operator does about a refused token: for every reason the usual cause and its fix, and what is known to go
// wrong first with widely used providers. The pages in docs/errors have the same texts.
import type { AuthnReason } from '../errors.ts';
import type { TokenRefusal } from './token-refusal.ts';

export interface Advice {
  readonly cause: string;
  readonly fix: string;
}

export const adviceByReason = {
  credentials_missing: {
    cause: 'The request has no `Authorization` header, nor the cookie or header that is configured instead.',
    fix: 'Send `Authorization: Bearer <token>`. Check that no proxy in between removes it, and that the page sends cookies (`credentials: "include"`).',
  },
  credentials_malformed: {
    cause:
      'The header has another scheme than `Bearer`, or what follows cannot be a token: quotes, spaces, `undefined`.',
    fix: 'Send the token alone after `Bearer `. Look at what the page sends: often the text `undefined` or `[object Promise]`.',
  },
  credentials_ambiguous: {
    cause: 'Two credentials in one request: two `Authorization` lines, or a header and a cookie.',
    fix: 'Send one. A gateway that adds a header must replace the one that came.',
  },
  origin_refused: {
    cause: 'The token came in a cookie or in a gateway’s header, from a page that is not allowed.',
    fix: 'Add the page to `CORS_ORIGINS`. Behind a proxy, pass `Host` on and name the proxy in `TRUST_PROXY`.',
  },
  token_too_large: {
    cause: 'The token is longer than 16 KiB, mostly because it lists every group of the user.',
    fix: 'Have the provider put fewer groups or roles into the token: Entra sends up to 200 groups, application roles are shorter.',
  },
  token_malformed: {
    cause:
      'It is not three parts of base64url with JSON in them: an opaque or an encrypted token, an ID that is no JWT, or a cut one.',
    fix: 'Have the provider issue a signed JWT for your API. Auth0 gives an opaque token when no `audience` is asked for; an encrypted one (JWE) has five segments and is not supported.',
  },
  token_header_refused: {
    cause: 'The header has `crit`, `b64`, `zip` or `enc`, or a `kid` that is not a string.',
    fix: 'Have the issuer sign plain JWTs (RFC 7519).',
  },
  token_type_refused: {
    cause: '`typ` is not `JWT` or `at+jwt`, or not what the issuers file says; or the token carries another token.',
    fix: 'Send the access token, not another kind; or set `typ` in the issuers file.',
  },
  algorithm_refused: {
    cause: '`alg` is not configured for this issuer, or the named key is for another algorithm.',
    fix: 'Add the algorithm that your issuer really uses to `JWT_ALGORITHMS`. HS256 beside RS256 needs another key source.',
  },
  issuer_refused: {
    cause:
      '`iss` is not exactly a configured issuer; mostly a slash at the end, http for https, another host name or realm.',
    fix: 'Set `JWT_ISSUER` to the `iss` of the token, to the letter: a slash at the end, `http` for `https`, another realm or tenant.',
  },
  audience_refused: {
    cause: '`aud` names somebody else: the token is for another API, or it is an ID token.',
    fix: 'Ask for a token for this API, and set `JWT_AUDIENCE` to its `aud`. Keycloak: add an Audience mapper. Entra: the application id of the API, with or without `api://`.',
  },
  key_unknown: {
    cause: 'The issuer publishes no key of this `kid`: the key was withdrawn, or the token is of another environment.',
    fix: 'Let the user log in again. If all are refused, look whether the key set belongs to the realm or tenant that signed the token.',
  },
  key_not_looked_up: {
    cause:
      'The `kid` is unknown, and the issuer could not be asked for it, or was asked too often in the last 30 seconds.',
    fix: 'Nothing, if it passes. If it stays, see why keys could not be fetched, and who sends tokens with invented names.',
  },
  signature_invalid: {
    cause:
      'No key that fits made this signature: another secret, a changed or forged token, a secret that the signer decodes first.',
    fix: 'Compare the keys. For an HMAC secret, see `JWT_SECRET_ENCODING`.',
  },
  claim_missing: {
    cause:
      'A claim that must be there is absent: `iss`, `aud`, `exp`, the user’s claim, or `iat` with a longest lifetime.',
    fix: 'Have the provider add it. For the user, set `JWT_USER_CLAIM` to the claim that names one.',
  },
  claim_invalid: {
    cause: 'A claim has the wrong type: a time that is a text, an `aud` with something else than strings.',
    fix: 'Have the issuer follow RFC 7519.',
  },
  subject_refused: {
    cause: 'The user’s claim is empty, not to be seen, or neither a string nor a whole number within 2^53.',
    fix: 'Set `JWT_USER_CLAIM` to a claim that names each user.',
  },
  token_expired: {
    cause: '`exp` has passed; all else is good.',
    fix: 'The app refreshes its token and tries again. If it is fresh, compare the clocks.',
  },
  token_not_yet_valid: {
    cause: '`nbf` is ahead.',
    fix: 'Set the clocks by NTP; `JWT_CLOCK_TOLERANCE_SECONDS` bridges up to two minutes.',
  },
  token_issued_in_future: {
    cause: '`iat` is ahead.',
    fix: 'Set the clocks by NTP; `JWT_CLOCK_TOLERANCE_SECONDS` bridges up to two minutes.',
  },
  token_lifetime_too_long: {
    cause: '`exp - iat` is longer than `JWT_MAX_LIFETIME_SECONDS`.',
    fix: 'Have the provider issue shorter tokens, or raise the setting.',
  },
  keys_unavailable: {
    cause: 'The issuer’s keys could not be fetched since the start, or for six hours.',
    fix: 'See the log: it has the address, the status or error code, and what to do. `check --live` tries it at once.',
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
      'claim_missing sub': 'since version 25 `sub` comes with the client scope `basic`: add it to the client',
      issuer_refused: 'iss follows the address under which the browser reached it: set its hostname to one for all',
    },
  },
  {
    name: 'Auth0',
    iss: /\.auth0\.com\/?$/,
    hints: {
      token_malformed: 'an opaque or encrypted token means that no audience was asked for: pass `audience` at login',
      audience_refused: 'aud is the identifier of the API, as its settings page shows it',
      issuer_refused: 'iss ends in a slash',
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
      signature_invalid: 'a token for Microsoft Graph can be verified by Graph alone: request one for your own API',
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
        'tokens of the org authorization server can be verified by Okta alone: use a custom one (/oauth2/default)',
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
 * The advice for a refusal. With a hint of the provider if one of the names looks like one that is known: the
 * configured issuers, or the `iss` that was refused.
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
