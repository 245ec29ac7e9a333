// Whose each of the last tokens is, so that a token which comes a second time is never handed to somebody else: a cache
// in front of the upstream, or an answer that was sent twice. Remembers a bounded number of tokens, in this process only.

export interface TokenOwners {
  /** Whether the token is this owner's; a token that is not remembered becomes it. */
  readonly claim: (token: string, owner: string) => boolean;
}

/** @param max how many tokens are remembered; the oldest are forgotten first */
export function createTokenOwners(max: number): TokenOwners {
  const owners = new Map<string, string>();
  return {
    claim: (token, owner) => {
      const name = token.toLowerCase();
      const known = owners.get(name);
      if (known !== undefined) return known === owner;
      if (owners.size >= max) {
        for (const oldest of owners.keys()) {
          owners.delete(oldest);
          break;
        }
      }
      owners.set(name, owner);
      return true;
    },
  };
}
