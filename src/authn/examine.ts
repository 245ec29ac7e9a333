// Runs the real authentication once, for commands: fetches every issuer's keys, and verifies one token. Mints nothing
// and remembers nothing.
import { createAuthenticator, type AuthenticatorOptions } from './authenticator.ts';
import type { LeftOutKey } from './keys/jwk-set.ts';
import type { KeySetFailure, KeySetFailureDetail } from './keys/key-set-failure.ts';
import type { Principal } from './principal.ts';
import { adviceOn } from './refusal-advice.ts';
import { isRefusal, type TokenRefusal } from './token-refusal.ts';

export type ExamineOptions = Pick<AuthenticatorOptions, 'issuers' | 'prepareVerifiers' | 'createAgent' | 'clock'>;

/** The result of fetching an issuer's keys. Issuers with configured keys have none. */
export type KeySetReport = { readonly iss: string } & (
  | { readonly kind: 'fetched'; readonly keys: number; readonly leftOut: readonly LeftOutKey[] }
  | { readonly kind: 'failed'; readonly failure: KeySetFailure; readonly detail: KeySetFailureDetail }
);

export interface TokenExamination {
  readonly keySets: readonly KeySetReport[];
  readonly result: Principal | TokenRefusal;
  /** For a refused token. */
  readonly advice?: ReturnType<typeof adviceOn>;
}

async function withKeys<T>(
  options: ExamineOptions,
  use: (authenticate: (token: string) => Promise<Principal | TokenRefusal>) => Promise<T>,
): Promise<{ keySets: readonly KeySetReport[]; used: T }> {
  const reports = new Map<string, KeySetReport>();
  const authenticator = await createAuthenticator({
    ...options,
    explains: true,
    events: {
      fetched: ({ iss, keys, leftOut }) => void reports.set(iss, { kind: 'fetched', iss, keys, leftOut }),
      failed: ({ iss, failure, detail }) => void reports.set(iss, { kind: 'failed', iss, failure, detail }),
    },
  });
  try {
    authenticator.start();
    await authenticator.settled();
    const used = await use(async (token) => authenticator.authenticate(token));
    return { keySets: [...reports.values()], used };
  } finally {
    await authenticator.close();
  }
}

/** Fetches every issuer's metadata and keys once. */
export const examineIssuers = async (options: ExamineOptions): Promise<readonly KeySetReport[]> =>
  (await withKeys(options, async () => undefined)).keySets;

/** Verifies one token with all checks and the issuers' current keys. */
export async function examineToken(options: ExamineOptions, token: string): Promise<TokenExamination> {
  const { keySets, used: result } = await withKeys(options, (authenticate) => authenticate(token));
  if (!isRefusal(result)) return { keySets, result };
  const names = options.issuers.map(({ iss }) => iss);
  return { keySets, result, advice: adviceOn(result, names) };
}
