// The path of the program that e2e tests start; test/support/programs/build-program.ts bundles it once for all.
import { inject } from 'vitest';

declare module 'vitest' {
  interface ProvidedContext {
    programPath: string;
  }
}

/** The bundled program, as it is shipped. */
export const programPath = (): string => inject('programPath');
