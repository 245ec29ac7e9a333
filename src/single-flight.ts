// Runs identical concurrent work once: callers with the same key share its result. A caller that disconnects does not
// end it. A failure goes to all waiting callers and is not remembered.

export interface SingleFlight<T> {
  /** Joins the flight of this key or starts one. */
  readonly join: (key: string, work: () => Promise<T>) => { readonly joined: boolean; readonly result: Promise<T> };
  readonly size: () => number;
  /** Resolves when all running flights have ended. */
  readonly settled: () => Promise<void>;
}

export function createSingleFlight<T>(): SingleFlight<T> {
  const flights = new Map<string, Promise<T>>();
  return {
    join: (key, work) => {
      const running = flights.get(key);
      if (running !== undefined) return { joined: true, result: running };
      const result = work().finally(() => flights.delete(key));
      flights.set(key, result);
      return { joined: false, result };
    },
    size: () => flights.size,
    settled: async () => {
      await Promise.allSettled(flights.values());
    },
  };
}
