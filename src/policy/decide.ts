// The decision: one policy, one verified principal, one data app's name → a grant or a denial. Pure and synchronous;
// the only maker of Grant. Denials never say more than the contract's codes allow; `trace` tells an operator the rest.
import type { Principal } from '../authn/principal.ts';
import type { Decision, Denial, Grant } from './decision.ts';
import { createEvaluation, type Evaluation } from './expression/evaluation.ts';
import type { DataAppPolicy, Policy } from './policy.ts';
import { Refusal } from './refusal.ts';
import type { ExpressionSite, Trace } from './expression/trace.ts';

/** With `withinAccessToken`: the way upstream takes up to a second, and a guest token should live for one more. */
const shortestLifetimeMs = 2000;

class Denied extends Error {
  readonly denial: Denial;
  readonly what: string;
  readonly site: ExpressionSite | undefined;

  constructor(denial: Denial, what: string, site?: ExpressionSite) {
    super(denial.reason);
    this.denial = denial;
    this.what = what;
    this.site = site;
  }
}

const fromRefusal = ({ reason, site, claim, what }: Refusal, code: Denial['code'], message?: string): Denied =>
  new Denied(
    {
      code,
      reason,
      position: site.position,
      ...(claim === undefined ? {} : { claim }),
      ...(message === undefined ? {} : { message }),
    },
    what,
    site,
  );

/** Runs a step of which every refusal has this code and message. */
function step<T>(run: () => T, code: Denial['code'], message?: string): T {
  try {
    return run();
  } catch (error) {
    throw error instanceof Refusal ? fromRefusal(error, code, message) : error;
  }
}

function findDataApp(policy: Policy, name: string | undefined): DataAppPolicy {
  const dataApp = name === undefined ? policy.defaultDataApp : policy.dataApps.get(name);
  if (dataApp !== undefined) return dataApp;
  throw name === undefined
    ? new Denied(
        { code: 'DATA_APP_NOT_ALLOWED', reason: 'data_app_not_named' },
        'no data app was named, and none has default: true',
      )
    : new Denied(
        { code: 'DATA_APP_NOT_ALLOWED', reason: 'data_app_unknown' },
        'the policy has no data app of this name',
      );
}

function checkAvailable({ availability, name }: DataAppPolicy, evaluation: Evaluation): void {
  if (availability === undefined) return;
  if (step(() => availability.holds(evaluation), 'DATA_APP_NOT_ALLOWED')) return;
  const { site } = availability;
  throw new Denied(
    { code: 'DATA_APP_NOT_ALLOWED', reason: 'data_app_not_for_user', position: site.position },
    `the data app "${name}" is not for this user`,
    site,
  );
}

function checkValidations({ validations }: DataAppPolicy, evaluation: Evaluation): void {
  for (const { condition, message } of validations) {
    if (step(() => condition.holds(evaluation), 'ACCESS_DENIED', message)) continue;
    const { site } = condition;
    throw new Denied(
      { code: 'ACCESS_DENIED', reason: 'validation_refused', position: site.position, message },
      `the validation did not hold: ${message}`,
      site,
    );
  }
}

/** Milliseconds from now, and the moment that no token may outlive. */
function lifetime(
  dataApp: DataAppPolicy,
  principal: Principal,
  nowMs: number,
): Pick<Grant, 'lifetimeMs' | 'notAfterMs'> {
  if (!dataApp.withinAccessToken) return { lifetimeMs: dataApp.expiresInMs };
  const notAfterMs = Math.floor(principal.exp * 1000);
  const lifetimeMs = Math.min(dataApp.expiresInMs, notAfterMs - nowMs);
  // Written so that NaN refuses too.
  if (lifetimeMs >= shortestLifetimeMs) return { lifetimeMs, notAfterMs };
  throw new Denied(
    { code: 'TOKEN_EXPIRED', reason: 'access_token_ends_too_soon', position: dataApp.position },
    'the access token ends within two seconds, and withinAccessToken is true',
  );
}

function grant(policy: Policy, principal: Principal, name: string | undefined, nowMs: number, trace?: Trace): Grant {
  const dataApp = findDataApp(policy, name);
  const evaluation = createEvaluation(principal.claims, policy.variableCount, trace);
  checkAvailable(dataApp, evaluation);
  checkValidations(dataApp, evaluation);
  const request = step(() => dataApp.buildRequest(evaluation), 'ACCESS_DENIED');
  return Object.freeze({
    apiKeyName: dataApp.apiKeyName,
    request,
    ...lifetime(dataApp, principal, nowMs),
    policyRevision: policy.revision,
  }) as Grant;
}

/**
 * Decides what this principal may be given. `dataAppName` is what the caller named; without it the default data app
 * counts, and without a default nothing is given. `nowMs` is wall time, milliseconds since the epoch.
 */
export function decide(
  policy: Policy,
  principal: Principal,
  dataAppName: string | undefined,
  nowMs: number,
  trace?: Trace,
): Decision {
  try {
    return { kind: 'permit', grant: grant(policy, principal, dataAppName, nowMs, trace) };
  } catch (error) {
    if (!(error instanceof Denied)) throw error;
    trace?.refused(error.what, error.site);
    return { kind: 'deny', denial: error.denial, policyRevision: policy.revision };
  }
}
