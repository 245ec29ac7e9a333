// Reads secrets from stores at the start, before the settings, so that loading the settings stays pure. Waits for an
// unavailable store for a bounded time; an error that a retry cannot fix (a wrong path, a missing permission) is a
// problem at once.
import type { Clock } from '../clock.ts';
import { createEgress } from '../egress/egress.ts';
import type { ReadFileAsync } from '../file-reader.ts';
import type { Problem } from '../problem.ts';
import type { SecretRead, SecretSetting } from '../secrets/secret-setting.ts';
import type { SecretStore, SecretStoreKind, StoreEvent } from '../secrets/secret-store.ts';
import { secretStoreKinds, settingOf, sourceVariables } from '../secrets/secret-sources.ts';
import { createSingleFlight } from '../single-flight.ts';
import { readEgress } from './read-egress.ts';
import { createSettingReader, type Environment, type ReadFile, type StoredSecretSettings } from './setting-reader.ts';
import { isSecretSetting } from './settings.ts';

export interface StoredSecrets extends StoredSecretSettings {
  readonly problems: readonly Problem[];
  /** Whether a restart may succeed, because the only problem is an unavailable store. */
  readonly isTemporary: boolean;
  /** Passes on the events of the stores from now on. */
  readonly onEvent: (listener: (event: StoreEvent) => void) => void;
  readonly close: () => Promise<void>;
}

export const noStoredSecrets: StoredSecrets = {
  get: () => undefined,
  problems: [],
  isTemporary: false,
  onEvent: () => undefined,
  close: () => Promise.resolve(),
};

interface ReadOptions {
  readonly clock: Clock;
  /** A number from 0 (inclusive) to 1 (exclusive), for jitter. */
  readonly random: () => number;
  /** For files that the stores' own settings name, also while the service runs. */
  readonly readFileAsync: ReadFileAsync;
  /** Settings to read; all of them without it. */
  readonly names?: readonly string[] | undefined;
  /** Called once for each secret whose store is unavailable. */
  readonly onWait: (problem: Problem) => void;
}

interface Named {
  readonly variable: string;
  readonly reference: string;
  readonly kind: SecretStoreKind;
}

const firstPauseMs = 250;
const maxPauseMs = 4_000;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Secrets that name a place in a store and no other place; the settings report those that name two. */
function namedSecrets(env: Environment): readonly Named[] {
  const isSet = (name: string): boolean => env[name] !== undefined && env[name] !== '';
  return Object.entries(env).flatMap(([variable, reference = '']) => {
    const kind = secretStoreKinds.find(({ suffix }) => variable.endsWith(suffix));
    const name = settingOf(variable);
    if (kind === undefined || reference === '' || !isSecretSetting(name)) return [];
    return [name, ...sourceVariables(name)].filter(isSet).length === 1 ? [{ variable, reference, kind }] : [];
  });
}

/** Retries while the store is unavailable, until the time limit. */
async function readPatiently(
  read: () => Promise<SecretRead>,
  waitMs: number,
  { clock, random }: ReadOptions,
  onWait: (read: SecretRead) => void,
): Promise<SecretRead> {
  const end = clock.monotonic() + waitMs;
  for (let ceiling = firstPauseMs; ; ceiling = Math.min(ceiling * 2, maxPauseMs)) {
    const result = await read();
    const pauseMs = ceiling * (0.5 + 0.5 * random());
    if (result.kind !== 'unavailable' || clock.monotonic() + pauseMs >= end) return result;
    if (ceiling === firstPauseMs) onWait(result);
    await pause(pauseMs);
  }
}

/** Reads every secret that is in a store. Never throws. */
export async function readStoredSecrets(
  env: Environment,
  readFile: ReadFile,
  options: ReadOptions,
): Promise<StoredSecrets> {
  const named = namedSecrets(env).filter(({ variable }) => options.names?.includes(settingOf(variable)) ?? true);
  if (named.length === 0) return noStoredSecrets;

  const problems: Problem[] = [];
  const reader = createSettingReader(env, readFile, problems);
  const waitMs = (reader.integer('SECRETS_START_WAIT_SECONDS', 0, 600) ?? 0) * 1000;
  const egress = createEgress(readEgress(reader));
  problems.length = 0; // The settings report the problems of these.

  const fileReads = createSingleFlight<Buffer>();
  const readStoreFile: ReadFileAsync = (path) => fileReads.join(path, () => options.readFileAsync(path)).result;
  let listener: (event: StoreEvent) => void = () => undefined;
  const open = async (kind: SecretStoreKind): Promise<[SecretStoreKind, SecretStore | undefined]> => [
    kind,
    await kind.open({
      settings: reader,
      readFile: readStoreFile,
      egress,
      clock: options.clock,
      random: options.random,
      onEvent: (event) => listener(event),
      report: (problem, fix) => reader.report(named.find((one) => one.kind === kind)?.variable ?? '', problem, fix),
    }),
  ];
  const used = [...new Set(named.map(({ kind }) => kind))];
  const stores = new Map(await Promise.all(used.map(open)));

  const found = new Map<string, SecretSetting>();
  let isTemporary = problems.length === 0;

  async function readOne({ variable, reference, kind }: Named): Promise<void> {
    const wrong = kind.problemOf(reference);
    if (wrong !== undefined) {
      isTemporary = false;
      problems.push({ location: variable, ...wrong });
      return;
    }
    const store = stores.get(kind);
    if (store === undefined) return;
    const read = (): Promise<SecretRead> => store.read(reference);
    const result = await readPatiently(read, waitMs, options, (waiting) => {
      if (waiting.kind !== 'read') options.onWait({ location: variable, problem: waiting.problem, fix: waiting.fix });
    });
    if (result.kind !== 'read') {
      isTemporary &&= result.kind === 'unavailable';
      problems.push({ location: variable, problem: result.problem, fix: result.fix });
      return;
    }
    const { value, freshForMs } = result;
    const name = settingOf(variable);
    found.set(name, {
      name,
      value,
      stored: {
        store: kind.label,
        reference,
        read: (how) => store.read(reference, how),
        freshForMs,
      },
    });
  }

  await Promise.all(named.map(readOne));
  problems.sort((a, b) => (a.location < b.location ? -1 : 1));
  return {
    get: (name) => found.get(name),
    problems,
    isTemporary: isTemporary && problems.length > 0,
    onEvent: (next) => {
      listener = next;
    },
    close: async () => {
      await Promise.all([...stores.values()].map(async (store) => store?.close()));
    },
  };
}
