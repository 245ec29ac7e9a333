// API keys of the simulated Databrain: one data app per key; a rotated key works until its grace period ends.
import { randomUUID } from 'node:crypto';
import { refuse, type Refusal } from './refusal.ts';

interface ApiKey {
  readonly dataAppName: string;
  /** Milliseconds since the epoch, set by rotation. */
  expiresAt?: number;
}

export interface ApiKeys {
  readonly dataAppNames: ReadonlySet<string>;
  /** The data app of the bearer key in an `Authorization` header, or the refusal. */
  readonly authenticate: (authorization: string | undefined) => string | Refusal;
  /** Creates a new key for the data app; the old key works for another `graceSeconds`. */
  readonly rotate: (authorization: string, graceSeconds: number) => string;
}

const bearer = (authorization: string): string => authorization.replace(/^Bearer /, '');
const isUuid = (text: string): boolean => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);

/** @param keyOfDataApp data app name → API key, any text */
export function createApiKeys(keyOfDataApp: Readonly<Record<string, string>>, now: () => number): ApiKeys {
  const keys = new Map<string, ApiKey>(
    Object.entries(keyOfDataApp).map(([dataAppName, key]) => [key, { dataAppName }]),
  );

  return {
    dataAppNames: new Set(Object.keys(keyOfDataApp)),

    authenticate(authorization) {
      if (!authorization?.startsWith('Bearer ')) return refuse('AUTHENTICATION_ERROR', 'API key is missing', 400);
      const key = keys.get(bearer(authorization));
      if (key === undefined)
        return refuse('AUTHENTICATION_ERROR', 'Invalid API key', isUuid(bearer(authorization)) ? 401 : 400);
      if (key.expiresAt !== undefined && key.expiresAt <= now()) return refuse('EXPIRED_TOKEN', 'API key has expired');
      return key.dataAppName;
    },

    rotate(authorization, graceSeconds) {
      const old = keys.get(bearer(authorization));
      if (old === undefined) throw new Error('only an authenticated key can be rotated');
      const fresh = randomUUID();
      keys.set(fresh, { dataAppName: old.dataAppName });
      old.expiresAt = now() + graceSeconds * 1000;
      return fresh;
    },
  };
}
