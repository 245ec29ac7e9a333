// One issuer of access tokens: checks the raw settings and returns an IssuerConfig, or all problems at once. Opens no
// connection; keys/fetched-keys.ts fetches keys later.
import { LoadProblem, type Problem } from '../problem.ts';
import type { Secret } from '../secrets/secret.ts';
import {
  algorithmNamed,
  defaultHmacAlgorithms,
  defaultPublicKeyAlgorithms,
  isHmac,
  algorithms as knownAlgorithms,
  type Algorithm,
} from './keys/algorithms.ts';
import { loadHmacSecrets, type SecretEncoding } from './keys/hmac-secret.ts';
import { loadPublicKeys } from './keys/public-key-text.ts';
import { trustedUrl } from '../trusted-url.ts';
import type { VerificationKey } from './keys/verification-keys.ts';

/** Where the issuer's keys come from: exactly one source. */
export type RawKeySource =
  /** HMAC secrets, one per line. */
  | { readonly kind: 'secret'; readonly text: Secret; readonly encoding: SecretEncoding }
  /** PEM blocks or a JWK set document. */
  | { readonly kind: 'publicKey'; readonly text: string }
  | { readonly kind: 'jwksUrl'; readonly url: string }
  /** OpenID Connect Discovery from `issuer`. */
  | { readonly kind: 'discovery' };

/** What is accepted of an issuer's tokens; the same before and after the check. */
export interface IssuerRules {
  /** From 0 to 120. */
  readonly clockToleranceSeconds: number;
  readonly maxLifetimeSeconds?: number | undefined;
  readonly allowMissingIssuer: boolean;
  readonly allowMissingAudience: boolean;
  /** Whether keys may be fetched over http from hosts other than loopback. */
  readonly allowHttp: boolean;
}

interface TokenForm extends IssuerRules {
  /** Name of the claim that names the user. */
  readonly userClaim: string;
  /** The only accepted `typ`, which is then required. Without it: `JWT`, `at+jwt` or no `typ` (RFC 8725 §3.11). */
  readonly typ?: string | undefined;
}

export interface RawIssuer extends TokenForm {
  /** Names of the variables, or `file:line:column`, for the messages. */
  readonly location: {
    readonly issuer: string;
    readonly audience: string;
    readonly algorithms: string;
    readonly key: string;
    readonly userClaim: string;
  };
  readonly issuer: string;
  readonly audience: readonly string[];
  readonly algorithms?: readonly string[] | undefined;
  readonly key: RawKeySource;
}

/** Keys from a configured text, which may change while the service runs, and the format of the text. */
export type ConfiguredKeys = { readonly configured: readonly VerificationKey[] } & (
  | { readonly kind: 'secret'; readonly encoding: SecretEncoding }
  | { readonly kind: 'publicKey' }
);

export type KeySource =
  | ConfiguredKeys
  | { readonly kind: 'jwksUrl'; readonly url: string }
  | { readonly kind: 'discovery'; readonly url: string };

export interface IssuerConfig extends TokenForm {
  readonly iss: string;
  /** Not empty. */
  readonly audience: readonly string[];
  /** Not empty; HMAC ones only, or public-key ones only. */
  readonly algorithms: readonly Algorithm[];
  readonly keys: KeySource;
}

type KeyTextFormat = { readonly kind: 'secret'; readonly encoding: SecretEncoding } | { readonly kind: 'publicKey' };

/** The keys of a text. Throws LoadProblem, whose message contains no part of the text. */
export const loadKeyText = (
  format: KeyTextFormat,
  text: string,
  wanted: readonly Algorithm[],
): readonly VerificationKey[] =>
  format.kind === 'secret' ? loadHmacSecrets(text, wanted, format.encoding) : loadPublicKeys(text, wanted);

type Report = (location: string, problem: string, fix: string) => undefined;

function readAlgorithms(raw: RawIssuer, report: Report): readonly Algorithm[] | undefined {
  const isSecret = raw.key.kind === 'secret';
  if (raw.algorithms === undefined) return isSecret ? defaultHmacAlgorithms : defaultPublicKeyAlgorithms;
  const location = raw.location.algorithms;
  const found = new Set<Algorithm>();
  for (const name of raw.algorithms) {
    const algorithm = algorithmNamed(name);
    if (algorithm === undefined) {
      return report(location, 'names an algorithm that is not supported', `Use ${knownAlgorithms.join(', ')}`);
    }
    found.add(algorithm);
  }
  const wanted = [...found];
  if (wanted.length === 0) return report(location, 'is empty', 'Name at least one algorithm, such as RS256');
  if (wanted.some(isHmac) && !wanted.every(isHmac)) {
    return report(location, 'mixes HMAC (HS…) with public-key algorithms', 'Keep one of the two kinds');
  }
  if (isSecret !== wanted.every(isHmac)) {
    return isSecret
      ? report(location, 'names public-key algorithms, but the key is an HMAC secret', 'Use HS256, HS384 or HS512')
      : report(location, 'names HMAC algorithms, but the key is public', 'Use RS…, PS…, ES… or EdDSA, or set a secret');
  }
  return wanted;
}

/** The address of an issuer's metadata (OpenID Connect Discovery §4.1); undefined if `iss` is not a trusted URL. */
export function discoveryUrl(iss: string, allowHttp: boolean): URL | undefined {
  const url = trustedUrl(iss, allowHttp);
  if (url === undefined || iss.includes('?')) return undefined;
  return trustedUrl(`${iss.replace(/\/$/, '')}/.well-known/openid-configuration`, allowHttp);
}

const httpFix = 'http is allowed for loopback, or inside a cluster with INSECURE_JWT_HTTP=true';

function readKeys(raw: RawIssuer, wanted: readonly Algorithm[], report: Report): KeySource | undefined {
  const { key, location } = raw;
  switch (key.kind) {
    case 'secret':
    case 'publicKey':
      try {
        if (key.kind === 'publicKey') return { kind: 'publicKey', configured: loadKeyText(key, key.text, wanted) };
        return {
          kind: 'secret',
          encoding: key.encoding,
          configured: loadKeyText(key, key.text.reveal(), wanted),
        };
      } catch (error) {
        if (!(error instanceof LoadProblem)) throw error;
        const fix =
          key.kind === 'secret'
            ? 'Use random text that is long enough, one key per line, for example from `openssl rand -base64 48`'
            : 'Set the public key in PEM (from a file, if it has several lines) or a JWK set document';
        return report(location.key, error.message, fix);
      }
    case 'jwksUrl': {
      const url = trustedUrl(key.url, raw.allowHttp);
      if (url === undefined) {
        return report(location.key, 'is not an https address', `Use https, without a user name; ${httpFix}`);
      }
      return { kind: 'jwksUrl', url: url.href };
    }
    case 'discovery': {
      const url = discoveryUrl(raw.issuer, raw.allowHttp);
      if (url === undefined) {
        return report(
          location.issuer,
          'is not an https address, and no key source is set',
          `Set a secret, a public key or the address of a JWK set, or an issuer with OpenID Connect Discovery; ${httpFix}`,
        );
      }
      return { kind: 'discovery', url: url.href };
    }
  }
}

/** The issuer, frozen; or all problems of its settings. No message contains a key. */
export function parseIssuer(raw: RawIssuer): { issuer: IssuerConfig } | { problems: Problem[] } {
  const problems: Problem[] = [];
  const report: Report = (location, problem, fix) => {
    problems.push({ location, problem, fix });
    return undefined;
  };

  if (raw.issuer.trim() === '') report(raw.location.issuer, 'is empty', 'Set the exact iss of the access tokens');
  // An empty list or an empty name would disable the verifier's check.
  if (raw.audience.length === 0 || raw.audience.some((aud) => aud.trim() === '')) {
    report(raw.location.audience, 'is empty', 'Set the aud of the access tokens for this service');
  }
  if (raw.userClaim.trim() === '') {
    report(raw.location.userClaim, 'is empty', 'Name the claim that names the user, such as sub');
  }
  const algorithms = readAlgorithms(raw, report);
  const keys = algorithms === undefined ? undefined : readKeys(raw, algorithms, report);
  if (problems.length > 0 || algorithms === undefined || keys === undefined) return { problems };

  const issuer: IssuerConfig = {
    iss: raw.issuer,
    audience: Object.freeze([...raw.audience]),
    algorithms: Object.freeze([...algorithms]),
    keys: Object.freeze(keys),
    clockToleranceSeconds: raw.clockToleranceSeconds,
    maxLifetimeSeconds: raw.maxLifetimeSeconds,
    allowMissingIssuer: raw.allowMissingIssuer,
    allowMissingAudience: raw.allowMissingAudience,
    allowHttp: raw.allowHttp,
    userClaim: raw.userClaim,
    typ: raw.typ,
  };
  return { issuer: Object.freeze(issuer) };
}
