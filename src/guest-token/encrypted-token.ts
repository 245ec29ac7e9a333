// Encrypts tokens for Redis: AES-256-GCM (NIST SP 800-38D) with a key derived from the API key, bound to the Redis key.
// A dump reveals no token, and a value that was moved, changed or written by others is not accepted.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

/** The stored data of a token. */
export interface StoredToken {
  readonly token: string;
  readonly lifetimeMs: number;
  /** Milliseconds since the epoch by the writer's clock. */
  readonly endsAtMs: number;
  readonly notAfterMs?: number | undefined;
}

const algorithm = 'aes-256-gcm';
const version = 1;
const ivBytes = 12;
const tagBytes = 16;
const headerBytes = 1 + ivBytes + tagBytes;

const isUuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Version byte, nonce, tag, ciphertext. `name` is authenticated, not stored. */
export function sealToken(stored: StoredToken, key: Buffer, name: string): Buffer {
  const iv = randomBytes(ivBytes);
  const cipher = createCipheriv(algorithm, key, iv, { authTagLength: tagBytes });
  cipher.setAAD(Buffer.from(name));
  const sealed = Buffer.concat([cipher.update(JSON.stringify(stored), 'utf8'), cipher.final()]);
  return Buffer.concat([Buffer.of(version), iv, cipher.getAuthTag(), sealed]);
}

function toStored(value: unknown): StoredToken | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { token, lifetimeMs, endsAtMs, notAfterMs } = value as Record<keyof StoredToken, unknown>;
  if (typeof token !== 'string' || !isUuid.test(token)) return undefined;
  if (!Number.isFinite(lifetimeMs) || !Number.isFinite(endsAtMs)) return undefined;
  if (notAfterMs !== undefined && !Number.isFinite(notAfterMs)) return undefined;
  return {
    token,
    lifetimeMs: Number(lifetimeMs),
    endsAtMs: Number(endsAtMs),
    notAfterMs: notAfterMs === undefined ? undefined : Number(notAfterMs),
  };
}

/** Undefined unless the value was made by sealToken with this key and name. */
export function openToken(sealed: Buffer, key: Buffer, name: string): StoredToken | undefined {
  if (sealed.length <= headerBytes || sealed[0] !== version) return undefined;
  const decipher = createDecipheriv(algorithm, key, sealed.subarray(1, 1 + ivBytes), { authTagLength: tagBytes });
  decipher.setAAD(Buffer.from(name));
  decipher.setAuthTag(sealed.subarray(1 + ivBytes, headerBytes));
  try {
    const text = Buffer.concat([decipher.update(sealed.subarray(headerBytes)), decipher.final()]);
    return toStored(JSON.parse(text.toString('utf8')));
  } catch {
    return undefined;
  }
}
