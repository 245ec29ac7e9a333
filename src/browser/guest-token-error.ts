// The one kind of error that this helper gives to an app: the proxy's code and sentence, or a code of its own.

/** Codes that are not the proxy's (its own are in its README). */
export type LocalErrorCode =
  /** The proxy could not be reached, or not within 30 seconds. */
  | 'NETWORK_ERROR'
  /** Something else answered: a gateway, a login page. */
  | 'INVALID_RESPONSE'
  /** `getAccessToken` failed, or took longer than 30 seconds. */
  | 'ACCESS_TOKEN_UNAVAILABLE'
  /** `stop` was called, or the signal was aborted. */
  | 'STOPPED'
  /** The vendor's component could not be loaded. */
  | 'COMPONENT_NOT_LOADED'
  /** The component of this page remembers what another user saw, and there is no `script` to load it anew in a frame. */
  | 'COMPONENT_IN_USE';

interface Details {
  /** Nothing more is tried: the user has to log in again, or is not allowed. */
  readonly terminal: boolean;
  /** To be reported to whoever operates the proxy; absent if its answer did not come. */
  readonly requestId?: string;
  /** Of the answer, if there was one. */
  readonly status?: number;
  /** Milliseconds that the proxy asks to wait before the next request. */
  readonly retryAfter?: number;
}

export interface GuestTokenError extends Error, Details {
  readonly name: 'GuestTokenError';
  /** A code of the proxy, or a `LocalErrorCode`. */
  readonly code: string;
}

const name = 'GuestTokenError';

export const createError = (code: string, message: string, details: Partial<Details> = {}): GuestTokenError =>
  Object.assign(new Error(message), { name, code, terminal: false, ...details } as const);

export const isGuestTokenError = (error: unknown): error is GuestTokenError =>
  (error as Error | null | undefined)?.name === name;
