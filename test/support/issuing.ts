// The environment of `issue` in tests: verified callers, grants, and a mint that counts its calls. Principals and
// grants are branded; here, as in the two files that create them, the brand is a cast.
import { randomUUID } from 'node:crypto';
import type { Principal } from '../../src/authn/principal.ts';
import type { Clock } from '../../src/clock.ts';
import { createIssue, type Issue, type IssueOptions, type ReuseResult } from '../../src/guest-token/issue.ts';
import type { Mint, Minted, MintPriority } from '../../src/databrain/mint.ts';
import type { Grant } from '../../src/policy/decision.ts';
import { toRequestSha256 } from '../../src/policy/decide.ts';
import type { ApiKeys } from '../../src/secrets/api-keys.ts';
import { Secret } from '../../src/secrets/secret.ts';

export const hour = 3_600_000;

export const principalOf = (sub: string, iss = 'https://login.example.com'): Principal =>
  ({ iss, sub, exp: 4_000_000_000, claims: {} }) as unknown as Principal;

export const grantOf = (part: Partial<Grant> = {}): Grant => {
  const params = { allowedEmbeds: ['sales-overview'] };
  const request = part.request ?? { clientId: 'acme', dataAppName: 'sales-dashboard', params };
  return {
    apiKeyName: 'DATABRAIN_API_KEY',
    request,
    requestSha256: toRequestSha256(request),
    lifetimeMs: hour,
    policyRevision: '0123456789ab',
    ...part,
  } as Grant;
};

export interface ScriptedMint {
  readonly mint: Mint;
  /** Grants that were minted for, in order. */
  readonly grants: readonly Grant[];
  readonly priorities: readonly (MintPriority | undefined)[];
  /** The results of the next mints; the last one is repeated. */
  readonly behave: (behaviour: (grant: Grant) => Promise<void>) => void;
}

/** Mints a random UUID at the clock's time. */
export function createScriptedMint(clock: Clock): ScriptedMint {
  const grants: Grant[] = [];
  const priorities: (MintPriority | undefined)[] = [];
  let behaviour: (grant: Grant) => Promise<void> = () => Promise.resolve();
  return {
    grants,
    priorities,
    behave: (next) => {
      behaviour = next;
    },
    mint: async (grant, priority): Promise<Minted> => {
      grants.push(grant);
      priorities.push(priority);
      const sentAt = clock.monotonic();
      await behaviour(grant);
      return { token: randomUUID(), sentAt, lifetimeMs: grant.lifetimeMs };
    },
  };
}

export interface SettableApiKeys extends ApiKeys {
  readonly set: (name: string, value: string | undefined) => void;
}

export function createApiKeys(value = 'b1946ac9-2ee6-4ab1-9d5a-6f0a3f1c2d3e'): SettableApiKeys {
  const keys = new Map([['DATABRAIN_API_KEY', new Secret(value)]]);
  return {
    get: (name) => keys.get(name),
    reload: () => Promise.resolve(false),
    close: () => undefined,
    get names() {
      return [...keys.keys()];
    },
    set: (name, next) => {
      if (next === undefined) keys.delete(name);
      else keys.set(name, new Secret(next));
    },
  };
}

export interface RecordedIssue extends Issue {
  readonly results: readonly ReuseResult[];
  readonly renewals: readonly string[];
}

/** The real `issue` with reuse on, half of the lifetime required, and a record of its events. */
export function startIssue(
  options: Pick<IssueOptions, 'mint' | 'apiKeys' | 'clock'> & Partial<IssueOptions>,
): RecordedIssue {
  const results: ReuseResult[] = [];
  const renewals: string[] = [];
  const issue = createIssue({
    baseUrl: 'https://api.usedatabrain.com',
    mode: 'user',
    minRemainingPercent: 50,
    deadlineMs: 8_000,
    maxEntries: 1_000,
    random: () => 0.5,
    pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    upstreamHasRoom: () => true,
    events: { onReuse: (result) => results.push(result), onRenewal: (result) => renewals.push(result) },
    ...options,
  });
  return { ...issue, results, renewals };
}
