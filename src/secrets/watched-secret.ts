// Watches a secret in a file or store, whose value may change while the service runs. The last valid value stays in use
// while the source cannot be read or holds an invalid value.
import type { ReadFileAsync } from '../file-reader.ts';
import { watchFile } from '../watched-file.ts';
import { type SecretRead, type SecretSetting, secretText, type StoredSecret } from './secret-setting.ts';

export type SecretOutcome =
  | { readonly kind: 'changed' }
  /** The new value cannot be used. */
  | { readonly kind: 'failed'; readonly problem: string }
  /** The store gave no value. */
  | { readonly kind: 'unreadable'; readonly problem: string }
  /** The source can be read again and holds the value in use. */
  | { readonly kind: 'restored' };

/** What all watched secrets of a service share. */
export interface SecretPolling {
  readonly readFile: ReadFileAsync;
  /** How often a file is compared with what is in use. */
  readonly fileIntervalMs: number;
  /** How often a store is read, unless it reports a shorter time. */
  readonly storeIntervalMs: number;
  /** A number from 0 (inclusive) to 1 (exclusive), for jitter. */
  readonly random: () => number;
  /** Changes whenever a refused value may become valid; it is tried again only then. */
  readonly dependsOn: () => string;
  /** Called once per change, new failure or recovery; `store` unless the secret is in a file. */
  readonly onReload: (setting: string, outcome: SecretOutcome, store?: string) => void;
}

export interface WatchedSecret {
  /** Reads the source now. `forceNew`: a leased value is replaced, not renewed. Never throws; calls never overlap. */
  readonly reload: (options?: { readonly forceNew?: boolean }) => Promise<void>;
  readonly close: () => void;
}

interface WatchSecretOptions {
  readonly setting: SecretSetting;
  readonly polling: SecretPolling;
  /** Applies a new value, or throws to keep the old; the message completes the sentence "the secret …". Awaited. */
  readonly accept: (text: string) => void | Promise<void>;
}

const firstPauseMs = 1_000;
const minIntervalMs = 1_000;

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : 'was refused');

function watchStored(stored: StoredSecret, { setting, polling, accept }: WatchSecretOptions): WatchedSecret {
  const { storeIntervalMs, random } = polling;
  let inUse = setting.value.identity();
  let refused: { readonly identity: string; readonly basis: string; readonly problem: string } | undefined;
  let reported: string | undefined;
  let failures = 0;
  let running: Promise<void> = Promise.resolve();
  let waiting: Promise<void> | undefined;
  let waitsForNew = false;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  const report = (outcome: SecretOutcome): void => polling.onReload(setting.name, outcome, stored.store);

  function schedule(delayMs: number): void {
    clearTimeout(timer);
    if (closed) return;
    timer = setTimeout(() => void reload(), delayMs);
    timer.unref();
  }

  /** Random, so that replicas that started together do not read together. */
  function scheduleNext(freshForMs: number | undefined): void {
    const dueMs = Math.min(storeIntervalMs, (freshForMs ?? Number.POSITIVE_INFINITY) * (2 / 3));
    schedule(Math.max(minIntervalMs, dueMs * (0.9 + 0.1 * random())));
  }

  function fail(kind: 'failed' | 'unreadable', problem: string): void {
    if (problem !== reported) report({ kind, problem });
    reported = problem;
    const ceiling = Math.min(firstPauseMs * 2 ** failures, storeIntervalMs);
    failures += 1;
    schedule(Math.max(firstPauseMs / 2, ceiling * random()));
  }

  /** Why the value cannot be used, or undefined once it is in use. */
  async function apply({ value }: Extract<SecretRead, { kind: 'read' }>): Promise<string | undefined> {
    const identity = value.identity();
    const basis = polling.dependsOn();
    if (refused?.identity === identity && refused.basis === basis) return refused.problem;
    try {
      await accept(value.reveal());
    } catch (error) {
      refused = { identity, basis, problem: messageOf(error) };
      return refused.problem;
    }
    inUse = identity;
    return undefined;
  }

  async function attempt(forceNew: boolean): Promise<void> {
    const read = await stored.read({ forceNew });
    if (closed) return;
    if (read.kind !== 'read') {
      fail('unreadable', read.problem);
      return;
    }
    const isNew = read.value.identity() !== inUse;
    const problem = isNew ? await apply(read) : undefined;
    if (closed) return;
    if (problem !== undefined) {
      fail('failed', problem);
      return;
    }
    if (isNew) report({ kind: 'changed' });
    else if (reported !== undefined) report({ kind: 'restored' });
    refused = reported = undefined;
    failures = 0;
    scheduleNext(read.freshForMs);
  }

  /** Calls during a read share the next read. */
  const reload: WatchedSecret['reload'] = ({ forceNew = false } = {}) => {
    waitsForNew ||= forceNew;
    waiting ??= running.then(() => {
      const wantsNew = waitsForNew;
      waiting = undefined;
      waitsForNew = false;
      return (running = attempt(wantsNew));
    });
    return waiting;
  };

  scheduleNext(stored.freshForMs);
  return {
    reload,
    close: () => {
      closed = true;
      clearTimeout(timer);
    },
  };
}

/** Undefined for a secret from the environment, which cannot change. */
export function watchSecret(options: WatchSecretOptions): WatchedSecret | undefined {
  const { setting, polling, accept } = options;
  if (setting.stored !== undefined) return watchStored(setting.stored, options);
  if (setting.file === undefined) return undefined;
  const file = watchFile({
    path: setting.file.path,
    readFile: polling.readFile,
    initial: setting.file.content,
    intervalMs: polling.fileIntervalMs,
    dependsOn: polling.dependsOn,
    accept: (content) => accept(secretText(content)),
    onOutcome: (outcome) => polling.onReload(setting.name, outcome),
  });
  return { reload: async () => void (await file.reload()), close: file.close };
}

interface SecretPollingOptions extends Omit<SecretPolling, 'dependsOn' | 'onReload'> {
  readonly observe: SecretPolling['onReload'];
}

interface SharedSecretPolling {
  readonly polling: SecretPolling;
  /** False while an older value of a secret is in use because its store could not be read or its value was refused. */
  readonly storedSecretsAreCurrent: () => boolean;
}

/**
 * The shared part of all watched secrets: how often each is read, when a refused value is tried again, and whether all
 * secrets from stores are current.
 */
export function createSecretPolling({ observe, ...intervals }: SecretPollingOptions): SharedSecretPolling {
  // Secrets are compared with each other, so a change of one may make a refused one valid.
  let changes = 0;
  const stale = new Set<string>();
  return {
    polling: {
      ...intervals,
      dependsOn: () => String(changes),
      onReload: (setting, outcome, store) => {
        if (outcome.kind === 'changed') changes += 1;
        const isStale = store !== undefined && (outcome.kind === 'failed' || outcome.kind === 'unreadable');
        if (isStale) stale.add(setting);
        else stale.delete(setting);
        observe(setting, outcome, store);
      },
    },
    storedSecretsAreCurrent: () => stale.size === 0,
  };
}
