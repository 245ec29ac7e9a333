// The rate limit of a self-hosted Databrain: a fixed window per address, which may come from a proxy's header.
import type { IncomingMessage } from 'node:http';

export interface RateLimit {
  readonly max: number;
  readonly windowMs: number;
}

/** 500 requests per 2 minutes: the default of a self-hosted Databrain. */
export const defaultRateLimit: RateLimit = { max: 500, windowMs: 120_000 };

const firstOf = (header: string | string[] | undefined): string | undefined => {
  const text = (Array.isArray(header) ? header[0] : header)?.split(',')[0]?.trim();
  return text === '' ? undefined : text;
};

/** The counted address: `X-Client-IP`, else the first of `X-Forwarded-For`, else the peer. */
export const countedAddress = ({ headers, socket }: IncomingMessage): string =>
  firstOf(headers['x-client-ip']) ?? firstOf(headers['x-forwarded-for']) ?? socket.remoteAddress ?? 'unknown';

/** @returns a function that counts one request and returns whether it is within the limit */
export function createRateLimiter({ max, windowMs }: RateLimit, now: () => number): (address: string) => boolean {
  const windows = new Map<string, { readonly endsAt: number; count: number }>();

  return (address) => {
    const window = windows.get(address);
    if (window === undefined || window.endsAt <= now()) {
      for (const [other, { endsAt }] of windows) if (endsAt <= now()) windows.delete(other);
      windows.set(address, { endsAt: now() + windowMs, count: 1 });
      return max >= 1;
    }
    window.count += 1;
    return window.count <= max;
  };
}
