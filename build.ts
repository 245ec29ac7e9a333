// Bundles the service into dist/main.js: one file, no node_modules needed to run it.
import { build } from 'esbuild';

/** Bundles the program into `outfile`, which must lie in a folder beside openapi.yaml's, such as dist/. */
export async function buildProgram(outfile: string): Promise<void> {
  await build({
    entryPoints: ['src/main.ts'],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node22',
    legalComments: 'none',
    minifySyntax: true,
    minifyWhitespace: true,
    logLevel: 'warning',
    banner: {
      // CommonJS dependencies inside an ES module bundle still ask for require.
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
  });
}

if (import.meta.main) await buildProgram('dist/main.js');
