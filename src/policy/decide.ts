// The decision: one policy, one verified principal, one data app's name → a grant or a denial. Pure and synchronous;
// only this file creates a Grant. A denial holds only what the audit line may hold; `trace` gives an operator the
// details.
import canonicalize from 'canonicalize';
import { hash } from 'node:crypto';
import type { Principal } from '../authn/principal.ts';
import { denied, isDenied, type Decision, type Grant } from './decision.ts';
import { createEvaluation, type Evaluation } from './expression/evaluation.ts';
import type { DataAppPolicy, Policy } from './policy.ts';
import type { DecisionTrace } from './expression/decision-trace.ts';
import type { UpstreamRequest } from './upstream-request.ts';

/** With `withinAccessToken`: the request upstream takes up to a second, and a guest token should live for one more. */
const minLifetimeMs = 2000;

const namedDataApp = (policy: Policy, name: string | undefined): DataAppPolicy | undefined =>
  name === undefined ? policy.defaultDataApp : policy.dataApps.get(name);

function findDataApp(policy: Policy, name: string | undefined): DataAppPolicy {
  const dataApp = namedDataApp(policy, name);
  if (dataApp !== undefined) return dataApp;
  throw name === undefined
    ? denied(
        { code: 'DATA_APP_NOT_ALLOWED', reason: 'data_app_not_named' },
        'no data app was named, and none has default: true',
      )
    : denied({ code: 'DATA_APP_NOT_ALLOWED', reason: 'data_app_unknown' }, 'the policy has no data app of this name');
}

function checkAvailable({ availability, name }: DataAppPolicy, evaluation: Evaluation): void {
  if (availability === undefined) return;
  if (availability.holds(evaluation)) return;
  const { site } = availability;
  throw denied(
    { code: 'DATA_APP_NOT_ALLOWED', reason: 'data_app_not_for_user', position: site.position },
    `the data app "${name}" is not for this user`,
  );
}

function checkValidations({ validations }: DataAppPolicy, evaluation: Evaluation): void {
  for (const { condition, message } of validations) {
    if (condition.holds(evaluation)) continue;
    const { site } = condition;
    throw denied(
      { code: 'ACCESS_DENIED', reason: 'validation_refused', position: site.position, message },
      `the validation is not true: ${message}`,
    );
  }
}

/** The part of a decision that does not depend on the time. */
type Terms = Pick<Grant, 'request' | 'requestSha256'>;

function requestHashOrDenial(request: UpstreamRequest, dataApp: DataAppPolicy): string {
  try {
    return toRequestSha256(request);
  } catch {
    throw denied(
      { code: 'ACCESS_DENIED', reason: 'value_refused', position: dataApp.position },
      'the body has a string or number that JSON cannot represent',
    );
  }
}

function termsOf(policy: Policy, dataApp: DataAppPolicy, principal: Principal, trace?: DecisionTrace): Terms {
  const evaluation = createEvaluation(principal.claims, policy.variableCount, trace);
  checkAvailable(dataApp, evaluation);
  checkValidations(dataApp, evaluation);
  const request = dataApp.buildRequest(evaluation);
  return { request, requestSha256: requestHashOrDenial(request, dataApp) };
}

/** The lifetime in milliseconds, and the time that no token may outlive. */
function lifetime(
  dataApp: DataAppPolicy,
  principal: Principal,
  nowMs: number,
): Pick<Grant, 'lifetimeMs' | 'notAfterMs'> {
  if (!dataApp.withinAccessToken) return { lifetimeMs: dataApp.expiresInMs };
  const notAfterMs = Math.floor(principal.exp * 1000);
  const lifetimeMs = Math.min(dataApp.expiresInMs, notAfterMs - nowMs);
  // Written so that NaN is refused too.
  if (lifetimeMs >= minLifetimeMs) return { lifetimeMs, notAfterMs };
  throw denied(
    { code: 'TOKEN_EXPIRED', reason: 'access_token_ends_too_soon', position: dataApp.position },
    'the access token ends within two seconds, and withinAccessToken is true',
  );
}

/** The only place that creates a grant. */
const toGrant = (policy: Policy, dataApp: DataAppPolicy, principal: Principal, terms: Terms, nowMs: number): Grant => {
  const { request, requestSha256 } = terms;
  return Object.freeze({
    user: Object.freeze({ iss: principal.iss, sub: principal.sub }),
    apiKeyName: dataApp.apiKeyName,
    request,
    requestSha256,
    ...lifetime(dataApp, principal, nowMs),
    policyRevision: policy.revision,
  }) as Grant;
};

function permitOrDeny(
  policy: Policy,
  name: string | undefined,
  makeGrant: () => Grant,
  trace?: DecisionTrace,
): Decision {
  try {
    return { kind: 'permit', grant: makeGrant() };
  } catch (error) {
    if (!isDenied(error)) throw error;
    const { code, reason } = error;
    const { position, claim, message, problem = '' } = error.detail;
    trace?.refused(
      problem,
      policy.sites.find((site) => site.position === position),
    );
    const dataApp = namedDataApp(policy, name)?.name;
    return {
      kind: 'deny',
      denial: { code, reason, position, claim, message },
      dataApp,
      policyRevision: policy.revision,
    };
  }
}

/**
 * Decides what this principal may get. `dataAppName` is the caller's choice; undefined means the default data app, and
 * a denial if there is none. `nowMs` is wall time in milliseconds since the epoch.
 */
export function decide(
  policy: Policy,
  principal: Principal,
  dataAppName: string | undefined,
  nowMs: number,
  trace?: DecisionTrace,
): Decision {
  const makeGrant = (): Grant => {
    const dataApp = findDataApp(policy, dataAppName);
    return toGrant(policy, dataApp, principal, termsOf(policy, dataApp, principal, trace), nowMs);
  };
  return permitOrDeny(policy, dataAppName, makeGrant, trace);
}

/** The permits of a principal. A list: most principals use one data app, and a Map takes five times the memory. */
interface Remembered {
  readonly policy: Policy;
  /** The name from the caller. */
  readonly name: string | undefined;
  readonly dataApp: DataAppPolicy;
  readonly permit: Extract<Decision, { kind: 'permit' }>;
  /** Permits of the same policy for other data apps; at most one per data app. */
  readonly next: Remembered | undefined;
}

function findRemembered(
  first: Remembered | undefined,
  policy: Policy,
  name: string | undefined,
): Remembered | undefined {
  if (first?.policy !== policy) return undefined;
  for (let entry: Remembered | undefined = first; entry !== undefined; entry = entry.next) {
    if (entry.name === name) return entry;
  }
  return undefined;
}

/**
 * `decide` with memory: what does not depend on the time is evaluated once per principal, data app and policy. A
 * lifetime within the access token is computed on every call. Denials are not remembered. Entries are released with
 * their principal, when authn/ forgets its token.
 */
export function createDecide(): (
  policy: Policy,
  principal: Principal,
  dataAppName: string | undefined,
  nowMs: number,
) => Decision {
  const remembered = new WeakMap<Principal, Remembered>();

  return (policy, principal, name, nowMs) => {
    const first = remembered.get(principal);
    const known = findRemembered(first, policy, name);
    if (known !== undefined) {
      const { dataApp, permit } = known;
      if (!dataApp.withinAccessToken) return permit;
      return permitOrDeny(policy, name, () => toGrant(policy, dataApp, principal, permit.grant, nowMs));
    }
    return permitOrDeny(policy, name, () => {
      const dataApp = findDataApp(policy, name);
      const grant = toGrant(policy, dataApp, principal, termsOf(policy, dataApp, principal), nowMs);
      const next = first?.policy === policy ? first : undefined;
      remembered.set(principal, { policy, name, dataApp, permit: { kind: 'permit', grant }, next });
      return grant;
    });
  };
}

/**
 * The SHA-256 of the canonical JSON (RFC 8785) of a body without `expiryTime`, 64 hex digits: equal bodies give equal
 * hashes, whatever the order of their members. It is in the audit line of an issued token, so that an auditor can prove
 * later which rights the token had; the body itself is not. Throws Error for what JSON cannot represent: lone
 * surrogates, NaN, Infinity.
 */
export function toRequestSha256(request: UpstreamRequest): string {
  const text = isInOrder(request as unknown as Members) ? JSON.stringify(request) : undefined;
  const canonical = text === undefined || mayBeLossy(text) ? (canonicalize(request) ?? '') : text;
  return hash('sha256', canonical, 'hex');
}

type Members = Readonly<Record<string, unknown>>;

/**
 * Whether the members of every object are in canonical order. A policy builds its bodies in that order, except for
 * names that JavaScript orders itself ("10" after "9").
 */
function isInOrder(value: Members): boolean {
  let last = '';
  // The fastest loop over an object that inherits nothing enumerable.
  for (const name in value) {
    if (name < last) return false;
    last = name;
    const member = value[name];
    if (typeof member !== 'object' || member === null) continue;
    if (Array.isArray(member) ? !areInOrder(member) : !isInOrder(member as Members)) return false;
  }
  return true;
}

const areInOrder = (list: readonly unknown[]): boolean =>
  list.every((item) => typeof item !== 'object' || item === null || isInOrder(item as Members));

/** JSON.stringify writes NaN and Infinity as `null` and escapes lone surrogates. Text with neither is canonical. */
const mayBeLossy = (text: string): boolean => text.includes('null') || text.includes('\\u');
