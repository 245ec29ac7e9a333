// Shares the DNS look-up of one host between connections that are opened at about the same time. Each look-up uses one
// of Node's four worker threads, which read files too, so a burst of connections would block everything else.
import { lookup as lookupHost, type LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';

/** Long enough for a burst, and much shorter than the caches of resolvers. */
const sharedForMs = 1000;

type LookupCallback = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void;

/**
 * A `lookup` for the connections to one host. A failure goes to all waiting connections and is not remembered.
 * @param now monotonic milliseconds
 */
export function createSharedLookup(
  now: () => number = () => performance.now(),
  lookup: typeof lookupHost = lookupHost,
): LookupFunction {
  const known = new Map<string, { readonly until: number; readonly addresses: LookupAddress[] }>();
  const waiting = new Map<string, LookupCallback[]>();

  return (hostname, { all, ...options }, callback) => {
    const respond: LookupCallback = (error, addresses) => {
      const first = error === null ? addresses[0] : undefined;
      if (first === undefined) callback(error, []);
      else if (all === true) callback(null, addresses);
      else callback(null, first.address, first.family);
    };
    const key = JSON.stringify([hostname, options.family, options.hints, options.order]);
    const found = known.get(key);
    if (found !== undefined && now() < found.until) {
      queueMicrotask(() => respond(null, found.addresses));
      return;
    }
    const others = waiting.get(key);
    if (others !== undefined) {
      others.push(respond);
      return;
    }
    const callers = [respond];
    waiting.set(key, callers);
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      waiting.delete(key);
      if (error === null) known.set(key, { until: now() + sharedForMs, addresses });
      for (const one of callers) one(error, addresses);
    });
  };
}
