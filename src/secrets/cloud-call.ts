// One call of a cloud provider's own library, bounded in time and with its errors sorted. Messages of libraries are not
// passed on, because they repeat what they were given; names and codes of errors are.
import type { ReadFailure, StoreSurroundings } from './secret-store.ts';

const timeoutMs = 10_000;

/** Error names and codes that are worth showing: identifiers, not sentences. */
const safeName = /^[A-Za-z][A-Za-z0-9_.]{1,63}$/;

const labelOf = (error: unknown): string => {
  if (!(error instanceof Error)) return 'unknown error';
  const { code } = error as { readonly code?: unknown };
  if (typeof code === 'number') return `code ${code}`;
  if (typeof code === 'string' && safeName.test(code)) return code;
  return safeName.test(error.name) ? error.name : 'unknown error';
};

export type Sorted = 'missing' | 'forbidden' | 'invalid' | 'unavailable';

/** @param sort what an error of the library means; only `unavailable` is worth asking again for */
export async function callCloud<T>(
  store: string,
  call: (signal: AbortSignal) => Promise<T>,
  sort: (error: unknown) => Sorted,
): Promise<{ readonly value: T } | ReadFailure> {
  const end = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const timeUp = new Promise<'time is up'>((resolve) => (timer = setTimeout(() => resolve('time is up'), timeoutMs)));
  try {
    const running = call(end.signal).then((value) => ({ value }));
    const result = await Promise.race([running, timeUp]);
    if (result !== 'time is up') return result;
    running.catch(() => undefined);
    return {
      kind: 'unavailable',
      problem: `could not be read: ${store} did not answer in time`,
      fix: 'Check the network',
    };
  } catch (error) {
    const label = labelOf(error);
    switch (sort(error)) {
      case 'missing':
        return {
          kind: 'refused',
          problem: `does not exist in ${store} (${label})`,
          fix: 'Check its name, account and region',
        };
      case 'forbidden':
        return {
          kind: 'refused',
          problem: `may not be read with these credentials (${label})`,
          fix: 'Permit reading it',
        };
      case 'invalid':
        return {
          kind: 'refused',
          problem: `could not be read: ${store} refuses the request (${label})`,
          fix: 'Check its name and state',
        };
      case 'unavailable':
        return {
          kind: 'unavailable',
          problem: `could not be read: ${store} gave no answer that can be used (${label})`,
          fix: 'Check the network, the credentials and the service',
        };
    }
  } finally {
    clearTimeout(timer);
    end.abort();
  }
}

/**
 * Loads a library that is installed only where it is used; undefined after reporting that it is absent, or that the
 * environment would make it trust anybody: these libraries take Node's default for certificates.
 * @param load an `import()` of the package, written out so that bundlers and type checkers see it
 */
export async function loadLibrary<T>(
  name: string,
  load: () => Promise<T>,
  { settings, report }: Pick<StoreSurroundings, 'settings' | 'report'>,
): Promise<T | undefined> {
  if (settings.raw('NODE_TLS_REJECT_UNAUTHORIZED') === '0') {
    const problem = 'would switch off the check of certificates';
    return settings.report(
      'NODE_TLS_REJECT_UNAUTHORIZED',
      problem,
      'Remove it; name the CA of a private certificate in NODE_EXTRA_CA_CERTS',
    );
  }
  try {
    return await load();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    return report(`needs the package ${name}, which is not installed`, `Run npm install ${name} beside the service`);
  }
}
