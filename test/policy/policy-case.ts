// Policy cases as data: YAML in → body, refusal or problems out. `request` is shorthand for a policy with one default
// data app; `policy` is a whole file. A case that expects several things asserts all of them.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Claims, Principal } from '../../src/authn/principal.ts';
import { loadPolicy } from '../../src/policy/compile/load-policy.ts';
import type { Policy } from '../../src/policy/policy.ts';

export interface PolicyCase {
  readonly name: string;
  readonly policy?: string;
  readonly request?: string;
  readonly apiKeys?: readonly string[];
  readonly maxLifetimeSeconds?: number;
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly claimsJson?: string;
  readonly dataApp?: string;
  /** Seconds from now until the access token ends. */
  readonly expiresIn?: number;
  readonly body?: Readonly<Record<string, unknown>>;
  readonly lifetimeMs?: number;
  readonly apiKeyName?: string;
  readonly denied?: Readonly<Record<string, unknown>>;
  /** Every problem, in order: `p.yaml:2:1 unknownKey(dataApp, the policy)`, with ` → ` and the fix if it matters. */
  readonly problems?: readonly string[];
  readonly lint?: readonly string[];
}

export const caseTime = 1_800_000_000_000;

/** The cases of a file below cases/, by the file's name. */
export function readCases(): readonly (readonly [string, readonly PolicyCase[]])[] {
  const folder = join(import.meta.dirname, 'cases');
  return readdirSync(folder)
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => [name, parse(readFileSync(join(folder, name), 'utf8')) as PolicyCase[]] as const);
}

const indent = (text: string, by: number): string => text.replace(/^(?=.)/gm, ' '.repeat(by));

export const policyText = ({ policy, request }: PolicyCase): string =>
  policy ??
  `version: 1
dataApps:
  sales:
    default: true
    expiresIn: 1h
    request:
${indent(request ?? 'clientId: acme\n', 6)}`;

export const loadCase = (policyCase: PolicyCase): Policy =>
  loadPolicy({
    text: policyText(policyCase),
    file: 'p.yaml',
    maxLifetimeSeconds: policyCase.maxLifetimeSeconds ?? 86_400,
    apiKeyNames: policyCase.apiKeys ?? ['DATABRAIN_API_KEY'],
  });

/** Only authn/ creates principals; a case assumes one that authn/ has verified. */
export const principalOf = (claims: Claims, exp = caseTime / 1000 + 3600): Principal =>
  ({ iss: 'https://issuer.example', sub: 'user-1', exp, claims }) as Principal;
