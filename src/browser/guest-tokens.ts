// Keeps one guest token valid for any number of embeds of one user: one request at a time, renewal before it expires,
// retries with back-off, pauses while the page is hidden or offline. Without subscribers nothing runs.
import { createError, isGuestTokenError, type GuestTokenError } from './guest-token-error.ts';
import { requestToken, unreachable, type TokenResponse } from './request-token.ts';

export interface GuestTokensOptions {
  /** Address of the proxy's `/guest-token`; may be relative to the page. */
  readonly url: string | URL;
  /**
   * Returns the app's access token (a JWT). `fresh`: it must be a new one, for a renewal, or because
   * the proxy refused the last one. Without it, or if it returns nothing, the browser's cookies are sent instead.
   * An error with `terminal: true` ends the session; any other is retried.
   */
  readonly getAccessToken?:
    | ((fresh: boolean) => string | null | undefined | Promise<string | null | undefined>)
    | undefined;
  /** The data app, if the policy has several. */
  readonly dataApp?: string | undefined;
  /** Used instead of the browser's own. */
  readonly fetch?: typeof fetch | undefined;
  /** Stops the session when it is aborted. */
  readonly signal?: AbortSignal | undefined;
  /** Called when the last subscriber has unsubscribed. */
  readonly onIdle?: (() => void) | undefined;
}

export type GuestTokenEvent =
  | {
      readonly type: 'token';
      readonly token: string;
      /** The remaining lifetime of the token in milliseconds. */
      readonly left: () => number;
      /** Two tokens with different rights have different values. */
      readonly grant: string;
    }
  | { readonly type: 'error'; readonly error: GuestTokenError };

export type TokenEvent = Extract<GuestTokenEvent, { type: 'token' }>;

/** The tokens of one user in one data app. Create another when the user or the organisation changes. */
export interface GuestTokens {
  /**
   * A token that is valid now. Waits for it through retries, at most 30 seconds; rejects with a `GuestTokenError`.
   * @param expired a token that is no longer valid; another one is returned
   * @param grant rejects if the token has other rights
   */
  readonly get: (expired?: string, grant?: string) => Promise<string>;
  /**
   * Calls the listener with the current token, every later one and every error. Returns a function that unsubscribes.
   */
  readonly subscribe: (listener: (event: GuestTokenEvent) => void) => () => void;
  /** Ends the session at once; subscribers get the error STOPPED. */
  readonly stop: () => void;
}

/**
 * Elapsed milliseconds, for lifetimes that a server sent as a duration. The monotonic clock of a browser may
 * stop while the machine sleeps, so a jump of the wall clock ahead of it counts as sleep. A wrong wall clock has no
 * effect; one that is set forward looks like sleep and causes one early renewal.
 */
function createElapsedClock(): () => number {
  /** Smaller differences between the two clocks are rounding and drift. */
  const sleepMs = 1_000;
  let elapsed = 0;
  let monotonic = performance.now();
  let wall = Date.now();
  return () => {
    const passed = performance.now() - monotonic;
    const passedOnWall = Date.now() - wall;
    monotonic += passed;
    wall += passedOnWall;
    return (elapsed += passedOnWall > passed + sleepMs ? passedOnWall : passed);
  };
}

const stopped = (): GuestTokenError => createError('STOPPED', 'The session was stopped.', { terminal: true });

export function createGuestTokens(options: GuestTokensOptions): GuestTokens {
  const maxWaitMs = 30_000;
  /** The minimum time between a token and the request for the next one, whatever its lifetime. */
  const spacingMs = 10_000;
  const maxBackOffMs = 60_000;
  /** The longest time of a timer, so that a sleep of the machine is noticed. */
  const maxTimerMs = 30_000;

  const { getAccessToken, signal } = options;
  const clock = createElapsedClock();
  const ownGrant = `session ${Math.random()}`;
  const listeners = new Set<(event: GuestTokenEvent) => void>();
  let token = '';
  let grant = '';
  // In elapsed time: when the token expires, when to renew it, and the earliest time of the next request.
  let expiresAt = 0;
  let renewAt = 0;
  let notBefore = 0;
  let ended: GuestTokenError | undefined;
  let lastError: GuestTokenError | undefined;
  let failures = 0;
  let request: AbortController | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let awake: AbortController | undefined;
  /** The number of waiting callers of `get`. They get a token also while the page is hidden. */
  let urgent = 0;
  let fresh = false;

  const isCutOff = (): boolean => lastError?.code === 'NETWORK_ERROR';

  function emit(event: GuestTokenEvent | undefined): void {
    for (const listener of [...listeners]) {
      try {
        if (event) listener(event);
      } catch (error) {
        reportError(error);
      }
    }
  }

  function end(error: GuestTokenError): void {
    if (ended) return;
    ended = error;
    request?.abort();
    emit({ type: 'error', error });
    listeners.clear();
    plan();
  }

  /** Sends the request now, later, when the page is visible or online again, or not at all. */
  function plan(): void {
    clearTimeout(timer);
    if (ended || listeners.size === 0) {
      if (!awake) return;
      awake.abort();
      awake = undefined;
      return options.onIdle?.();
    }
    if (!awake) {
      awake = new AbortController();
      for (const type of ['visibilitychange', 'pageshow', 'online']) addEventListener(type, wake, awake);
    }
    if (request || (!urgent && (document.hidden || (isCutOff() && !navigator.onLine)))) return;
    const wait = Math.max(renewAt, notBefore) - clock();
    if (wait <= 0) void renew();
    // A timer may fire slightly early, because the clock has a finer resolution.
    else timer = setTimeout(plan, Math.min(wait + 1, maxTimerMs));
  }

  function wake(): void {
    if (isCutOff()) notBefore = failures = 0;
    plan();
  }

  /** Rejects with a GuestTokenError, or with what `getAccessToken` rejected with. */
  async function fetchToken(deadline: AbortSignal): Promise<TokenResponse> {
    const late = new Promise<never>((_, reject) => deadline.addEventListener('abort', reject));
    const attempt = async (): Promise<TokenResponse> => {
      const accessToken = await Promise.race([getAccessToken?.(fresh), late]);
      fresh = false;
      return requestToken(options, accessToken ?? '', deadline);
    };
    return attempt().catch((error: unknown) => {
      if (!isGuestTokenError(error) || error.status !== 401 || !getAccessToken) throw error;
      fresh = true;
      return attempt();
    });
  }

  async function renew(): Promise<void> {
    const mine = (request = new AbortController());
    const deadline = setTimeout(() => mine.abort(), maxWaitMs);
    const requestedAt = clock();
    try {
      const response = await fetchToken(mine.signal);
      if (!ended) accept(response, requestedAt);
    } catch (error) {
      const { message = 'No access token.', terminal } = (error ?? {}) as Partial<GuestTokenError>;
      fail(
        isGuestTokenError(error) ? error : createError('ACCESS_TOKEN_UNAVAILABLE', message, { terminal: !!terminal }),
      );
    }
    clearTimeout(deadline);
    request = undefined;
    plan();
  }

  function accept(response: TokenResponse, requestedAt: number): void {
    const { lifetime } = response;
    token = response.token;
    grant = response.grant ?? ownGrant;
    expiresAt = requestedAt + lifetime;
    // Between 75 and 85 percent of the lifetime, so that many pages do not send a request in the same second.
    renewAt = requestedAt + lifetime * (0.75 + Math.random() / 10);
    notBefore = requestedAt + spacingMs;
    lastError = undefined;
    failures = 0;
    fresh = true;
    emit(present());
  }

  function fail(error: GuestTokenError): void {
    if (error.terminal || ended) return end(error);
    lastError = error;
    const backOff = Math.min(maxBackOffMs, 1_000 * 2 ** failures) * (0.5 + Math.random() / 2);
    notBefore = clock() + Math.max(error.retryAfter ?? 0, backOff);
    failures += 1;
    emit({ type: 'error', error });
  }

  function present(): GuestTokenEvent | undefined {
    if (ended) return { type: 'error', error: ended };
    const end = expiresAt;
    const left = (): number => end - clock();
    return left() > 0 ? { type: 'token', token, grant, left } : undefined;
  }

  function subscribe(listener: (event: GuestTokenEvent) => void): () => void {
    // A new function, because the same listener may be subscribed twice.
    const own = (event: GuestTokenEvent): void => listener(event);
    listeners.add(own);
    queueMicrotask(() => {
      const event = present();
      if (event && listeners.has(own)) own(event);
    });
    plan();
    return () => {
      listeners.delete(own);
      plan();
    };
  }

  const get: GuestTokens['get'] = (expired, wanted) =>
    new Promise((resolve, reject) => {
      if (token === expired) expiresAt = renewAt = 0;
      const finish = (): void => {
        clearTimeout(timeout);
        urgent -= 1;
        unsubscribe();
      };
      const timeout = setTimeout(() => {
        finish();
        reject(lastError ?? unreachable());
      }, maxWaitMs);
      urgent += 1;
      const unsubscribe = subscribe((event) => {
        if (event.type === 'error' && !event.error.terminal) return;
        finish();
        if (event.type === 'error') reject(event.error);
        else if (wanted && wanted !== event.grant) reject(stopped());
        else resolve(event.token);
      });
    });

  const stop = (): void => end(stopped());
  signal?.addEventListener('abort', stop);
  if (signal?.aborted) stop();
  return { get, subscribe, stop };
}
