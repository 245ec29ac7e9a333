// Remembers the owner of recent tokens, so that a token that is received again (from a cache in front of the upstream,
// or a response sent twice) is never given to another user. Bounded, and in this process only.

export interface TokenOwners {
  /** Whether the token belongs to this owner; an unknown token becomes this owner's. */
  readonly claim: (token: string, owner: string) => boolean;
}

/** @param max the number of tokens; the oldest are forgotten first */
export function createTokenOwners(max: number): TokenOwners {
  const owners = new Map<string, string>();
  /** A ring buffer in order of arrival. Finding the oldest entry of a Map would be slow. */
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
