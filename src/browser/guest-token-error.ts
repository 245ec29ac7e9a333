// The only kind of error that this helper reports to an app: the proxy's code and message, or a code of the helper.

/** Codes of the helper; those of the proxy are in docs/errors. */
export type LocalErrorCode =
  /** The proxy could not be reached, or not within 30 seconds. */
  | 'NETWORK_ERROR'
  /** The response is not from the proxy, but for example from a gateway or a login page. */
  | 'INVALID_RESPONSE'
  /** `getAccessToken` failed, or took longer than 30 seconds. */
  | 'ACCESS_TOKEN_UNAVAILABLE'
  /** `stop` was called, or the signal was aborted. */
  | 'STOPPED'
  /** The vendor's component could not be loaded. */
  | 'COMPONENT_NOT_LOADED'
  /**
   * The component in this page has cached another user's data, and there is no `script` to load it again in a frame.
   */
  | 'COMPONENT_IN_USE';

interface Details {
  /** The helper does not try again: the user must log in again, or has no access. */
  readonly terminal: boolean;
  /** For a report to the operator of the proxy; absent without a response of the proxy. */
  readonly requestId?: string;
  /** The HTTP status, if there was a response. */
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
