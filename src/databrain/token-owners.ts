// Whose each of the last tokens is, so that a token which comes a second time is never handed to somebody else: a cache
// in front of the upstream, or an answer that was sent twice. Remembers a bounded number of tokens, in this process only.

export interface TokenOwners {
  /** Whether the token is this owner's; a token that is not remembered becomes it. */
  readonly claim: (token: string, owner: string) => boolean;
}

/** @param max how many tokens are remembered; the oldest are forgotten first */
export function createTokenOwners(max: number): TokenOwners {
  const owners = new Map<string, string>();
  /** In the order in which they came, written round and round. A Map would search for its oldest entry. */
  const names: string[] = [];
  let next = 0;

  return {
    claim: (token, owner) => {
      const name = token.toLowerCase();
      const known = owners.get(name);
      if (known !== undefined) return known === owner;
      const oldest = names[next];
      if (oldest !== undefined) owners.delete(oldest);
      names[next] = name;
      next = (next + 1) % max;
      owners.set(name, owner);
      return true;
    },
  };
}
