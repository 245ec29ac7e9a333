// The guest tokens of the simulated Databrain, with their rights and expiry.
import { randomUUID } from 'node:crypto';
import type { GuestTokenBody } from './guest-token-body.ts';

interface Issued {
  readonly body: GuestTokenBody;
  /** Milliseconds since the epoch; infinite without an `expiryTime`. */
  readonly expiresAt: number;
}

export type Admission =
  | { readonly kind: 'accepted'; readonly body: GuestTokenBody; readonly expiresAt: number }
  | { readonly kind: 'refused'; readonly status: number; readonly reason: string };

export interface GuestTokens {
  readonly create: (body: GuestTokenBody) => string;
  /** Whether the token opens the embed now; without an embed, whether it is valid. */
  readonly admit: (token: string, embedId?: string) => Admission;
}

/** @param keep maximum number of remembered tokens; the oldest are removed first */
export function createGuestTokens(keep: number, now: () => number): GuestTokens {
  const issued = new Map<string, Issued>();

  return {
    create(body) {
      const token = randomUUID();
      issued.set(token, { body, expiresAt: now() + (body.expiryTime ?? Infinity) });
      const [oldest] = issued.keys();
      if (issued.size > keep && oldest !== undefined) issued.delete(oldest);
      return token;
    },

    admit(token, embedId) {
      const known = issued.get(token);
      if (known === undefined) return { kind: 'refused', status: 401, reason: 'This guest token is unknown.' };
      if (known.expiresAt <= now()) return { kind: 'refused', status: 401, reason: 'This guest token has expired.' };
      const { allowedEmbeds } = known.body.params ?? {};
      if (embedId !== undefined && allowedEmbeds !== undefined && !allowedEmbeds.includes(embedId))
        return { kind: 'refused', status: 403, reason: 'This guest token does not open this embed.' };
      return { kind: 'accepted', body: known.body, expiresAt: known.expiresAt };
    },
  };
}
