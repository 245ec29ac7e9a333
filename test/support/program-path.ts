// Where the program lies that e2e tests start: test/support/build-program.ts bundles it, once for all of them.
import { inject } from 'vitest';

declare module 'vitest' {
  interface ProvidedContext {
    programPath: string;
  }
}

/** The bundled program, as it ships. */
export const programPath = (): string => inject('programPath');
