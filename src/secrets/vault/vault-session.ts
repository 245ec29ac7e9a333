// Keeps the Vault token valid: renews it after two thirds of its lifetime, and logs in again if renewal no longer
// prolongs it (at its maximum lifetime Vault still reports it as renewable) or after it expired or was revoked. One
// login at a time; failures are retried with growing, random pauses.
import type { Clock } from '../../clock.ts';
import type { StoreEvent } from '../secret-store.ts';
import type { ReadFailure } from '../secret-setting.ts';
import type { Secret } from '../secret.ts';
import { tokenOf, type LoginResult, type VaultLogin, type VaultToken } from './vault-login.ts';
import type { SendVaultRequest } from './vault-request.ts';

interface VaultSessionOptions {
  readonly send: SendVaultRequest;
  readonly login: VaultLogin;
  readonly clock: Clock;
  readonly random: () => number;
  readonly onEvent: (event: StoreEvent) => void;
}

export interface VaultSession {
  /** The current token, or that of a new login. */
  readonly token: () => Promise<LoginResult>;
  /**
   * A new token in place of the refused one, if a new login may help. `ok` with the same token: it is valid, so a
   * permission is missing.
   */
  readonly replace: (refused: Secret) => Promise<LoginResult>;
  /** Revokes a token that a login made. */
  readonly close: () => Promise<void>;
}

interface Held extends VaultToken {
  /** Its life when it was new; a renewal that gives less than half of it no longer prolongs it. */
  readonly fullLifetimeMs?: number | undefined;
  /** Monotonic. */
  readonly expiresAt?: number | undefined;
}

/** A token is not used shortly before its end, because the request could arrive too late. */
const marginMs = 1_000;
/** setTimeout's longest delay. */
const maxTimerMs = 2_147_483_647;
const firstPauseMs = 500;
const maxPauseMs = 60_000;
/** How long a failed login is returned to all callers. */
const failureSharedMs = 1_000;
const revokeWithinMs = 1_000;

export function createVaultSession({ send, login, clock, random, onEvent }: VaultSessionOptions): VaultSession {
  let held: Held | undefined;
  let running: Promise<LoginResult> | undefined;
  let renewing: Promise<unknown> | undefined;
  let failure: { readonly result: ReadFailure; readonly at: number } | undefined;
  let failures = 0;
  let warned: string | undefined;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  const remaining = ({ expiresAt }: Held): number =>
    expiresAt === undefined ? Number.POSITIVE_INFINITY : expiresAt - clock.monotonic();

  function schedule(delayMs: number): void {
    clearTimeout(timer);
    if (closed || !Number.isFinite(delayMs)) return;
    timer = setTimeout(() => void maintain(), Math.min(Math.max(delayMs, firstPauseMs), maxTimerMs));
    timer.unref();
  }

  /** Between 60 and 70 % of what is left, so that replicas do not renew together. */
  const scheduleRenewal = (token: Held): void => schedule(remaining(token) * (0.6 + 0.1 * random()));

  function scheduleRetry(): void {
    const ceiling = Math.min(firstPauseMs * 2 ** failures, maxPauseMs);
    failures += 1;
    schedule(ceiling * random());
  }

  function hold(token: VaultToken, fullLifetimeMs = token.lifetimeMs): Held {
    const expiresAt = token.lifetimeMs === undefined ? undefined : clock.monotonic() + token.lifetimeMs;
    held = { ...token, fullLifetimeMs, expiresAt };
    failure = undefined;
    failures = 0;
    scheduleRenewal(held);
    return held;
  }

  async function logIn(): Promise<LoginResult> {
    const before = held;
    const result = await login.run();
    if (closed) return result;
    if (result.kind !== 'ok') {
      failure = { result, at: clock.monotonic() };
      onEvent({ kind: 'login', store: 'Vault', result: 'failed', problem: result.problem });
      return result;
    }
    const isSame = before?.token.identity() === result.token.token.identity();
    if (!isSame) onEvent({ kind: 'login', store: 'Vault', result: 'ok' });
    failure = undefined;
    // In its last second a token reports a lifetime of 0, like one that never expires.
    const isAboutToExpire = isSame && result.token.lifetimeMs === undefined && before?.expiresAt !== undefined;
    if (!isAboutToExpire) hold(result.token, isSame ? before?.fullLifetimeMs : undefined);
    return result;
  }

  const logInOnce = (): Promise<LoginResult> => {
    if (failure !== undefined && clock.monotonic() - failure.at < failureSharedMs)
      return Promise.resolve(failure.result);
    return (running ??= logIn().finally(() => (running = undefined)));
  };

  const isLongEnough = ({ lifetimeMs, fullLifetimeMs }: Pick<Held, 'lifetimeMs' | 'fullLifetimeMs'>): boolean =>
    lifetimeMs === undefined || fullLifetimeMs === undefined || lifetimeMs >= fullLifetimeMs / 2;

  type Renewal = 'prolonged' | 'not prolonged' | 'later';

  /** Whether the token was prolonged; `later`: Vault was unavailable. */
  async function renew(token: Held): Promise<Renewal> {
    if (!token.renewable) return 'not prolonged';
    const increment = Math.ceil((token.fullLifetimeMs ?? 0) / 1000);
    const response = await send({
      method: 'POST',
      path: 'auth/token/renew-self',
      token: token.token,
      body: { increment },
    });
    if (response.kind === 'unavailable') return 'later';
    const renewed = response.kind === 'ok' ? tokenOf(response.body) : undefined;
    // A lifetime under one second is reported as 0, like that of a token that does not expire.
    if (renewed === undefined || (renewed.lifetimeMs === undefined && token.lifetimeMs !== undefined))
      return 'not prolonged';
    if (held !== token) return 'prolonged';
    return isLongEnough(hold({ ...renewed, token: token.token }, token.fullLifetimeMs)) ? 'prolonged' : 'not prolonged';
  }

  const renewOnce = (token: Held): Promise<Renewal> => {
    const renewal = renew(token).finally(() => {
      if (renewing === renewal) renewing = undefined;
    });
    renewing = renewal;
    return renewal;
  };

  function warnOfExpiry(token: Held): void {
    const identity = token.token.identity();
    if (
      token.expiresAt === undefined ||
      isLongEnough({ ...token, lifetimeMs: remaining(token) }) ||
      warned === identity
    )
      return;
    warned = identity;
    onEvent({
      kind: 'credential_expires',
      store: 'Vault',
      inSeconds: Math.max(0, Math.round(remaining(token) / 1000)),
    });
  }

  async function maintain(): Promise<void> {
    const token = held;
    if (token === undefined || closed) return;
    const outcome = remaining(token) > 0 ? await renewOnce(token) : 'not prolonged';
    // Meanwhile a read that failed with this token may have logged in.
    if (closed || outcome === 'prolonged' || held?.token.identity() !== token.token.identity()) return;
    // After a failed login the old token stays in use until it expires.
    const replaced = outcome === 'not prolonged' && (await logInOnce()).kind === 'ok';
    if (closed) return;
    if (!replaced) scheduleRetry();
    else if (held !== undefined && !login.makesTokens) warnOfExpiry(held);
  }

  const isValid = async (token: Secret): Promise<boolean> =>
    (await send({ method: 'GET', path: 'auth/token/lookup-self', token })).kind === 'ok';

  const usable = (): Held | undefined => (held !== undefined && remaining(held) > marginMs ? held : undefined);

  return {
    token: async () => {
      // A renewal that is under way may make a login unnecessary.
      if (usable() === undefined) await renewing;
      const token = usable();
      return token === undefined ? logInOnce() : { kind: 'ok', token };
    },
    replace: async (refused) => {
      const another = (): Held | undefined => (held?.token.identity() === refused.identity() ? undefined : held);
      const current =
        another() ?? (held !== undefined && login.makesTokens && (await isValid(refused)) ? held : undefined);
      // During that request, another reader may have logged in.
      const token = current ?? another();
      return token === undefined ? logInOnce() : { kind: 'ok', token };
    },
    close: async () => {
      closed = true;
      clearTimeout(timer);
      if (held === undefined || !login.makesTokens) return;
      const revoked = send({ method: 'POST', path: 'auth/token/revoke-self', token: held.token });
      // Revoke it within a short time limit, so that the end of the process is not delayed.
      let timeUp: NodeJS.Timeout | undefined;
      await Promise.race([revoked, new Promise((resolve) => (timeUp = setTimeout(resolve, revokeWithinMs)))]);
      clearTimeout(timeUp);
    },
  };
}
