// Calls a cloud provider's library with a time limit and classifies its errors. Only names and codes of errors are
// used, because messages of libraries repeat their input.
import type { StoreContext } from './secret-store.ts';
import type { ReadFailure } from './secret-setting.ts';

const timeoutMs = 10_000;

/** Error names and codes that are safe to show: identifiers, not sentences. */
const safeName = /^[A-Za-z][A-Za-z0-9_.]{1,63}$/;

const labelOf = (error: unknown): string => {
  if (!(error instanceof Error)) return 'unknown error';
  const { code } = error as { readonly code?: unknown };
  if (typeof code === 'number') return `code ${code}`;
  if (typeof code === 'string' && safeName.test(code)) return code;
  return safeName.test(error.name) ? error.name : 'unknown error';
};

export type ErrorClass = 'missing' | 'forbidden' | 'invalid' | 'unavailable';

/** @param classify classifies an error of the library; only `unavailable` is retried */
export async function callCloud<T>(
  store: string,
  call: (signal: AbortSignal) => Promise<T>,
  classify: (error: unknown) => ErrorClass,
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
      problem: `could not be read: ${store} did not respond in time`,
      fix: 'Check the network',
    };
  } catch (error) {
    const label = labelOf(error);
    switch (classify(error)) {
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
          fix: 'Grant permission to read it',
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
          problem: `could not be read: ${store} gave no usable response (${label})`,
          fix: 'Check the network, the credentials and the service',
        };
    }
  } finally {
    clearTimeout(timer);
    end.abort();
  }
}

/**
 * Loads an optional library. Reports a problem and returns undefined if it is not installed, or if the environment
 * disables the verification of certificates, which these libraries would follow.
 * @param load an `import()` of the package, written out so that bundlers and type checkers see it
 */
export async function loadLibrary<T>(
  name: string,
  load: () => Promise<T>,
  { settings, report }: Pick<StoreContext, 'settings' | 'report'>,
): Promise<T | undefined> {
  if (settings.raw('NODE_TLS_REJECT_UNAUTHORIZED') === '0') {
    const problem = 'would disable the verification of certificates';
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
    return report(
      `needs the package ${name}, which is not installed`,
      `Run npm install ${name} in the folder of the service`,
    );
  }
}
