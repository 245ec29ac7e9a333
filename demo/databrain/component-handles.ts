// What the web component sends instead of a token when it requests rows: with the vendor, the `clientId` in the
// answer for the dashboard. The simulation sends an unguessable handle there, to enforce the rights of the token.
// A handle belongs to rights, not to one token: it is valid as long as any token with the same rights.
import { randomUUID } from 'node:crypto';
import type { GuestTokenBody } from './guest-token-body.ts';

interface Held {
  readonly handle: string;
  readonly body: GuestTokenBody;
  /** Milliseconds since the epoch. */
  expiresAt: number;
}

export interface ComponentHandles {
  /** The handle for the rights of a token that expires at `expiresAt`. */
  readonly give: (body: GuestTokenBody, expiresAt: number) => string;
  /** The rights behind a handle; undefined if it is unknown or the last of its tokens has expired. */
  readonly take: (handle: unknown) => GuestTokenBody | undefined;
}

/** @param keep maximum number of remembered handles; the oldest are removed first */
export function createComponentHandles(keep: number, now: () => number): ComponentHandles {
  const byRights = new Map<string, Held>();
  const byHandle = new Map<unknown, Held>();

  return {
    give(body, expiresAt) {
      const rights = JSON.stringify({ ...body, expiryTime: undefined });
      const held = byRights.get(rights) ?? { handle: randomUUID(), body, expiresAt };
      held.expiresAt = Math.max(held.expiresAt, expiresAt);
      byRights.set(rights, held);
      byHandle.set(held.handle, held);
      const [oldest] = byRights;
      if (byRights.size > keep && oldest !== undefined) {
        byRights.delete(oldest[0]);
        byHandle.delete(oldest[1].handle);
      }
      return held.handle;
    },

    take(handle) {
      const held = byHandle.get(handle);
      return held !== undefined && held.expiresAt > now() ? held.body : undefined;
    },
  };
}
