// An esbuild plugin that loads Node's own modules by `require`. An `import` reads every property of such a module,
// which loads unused parts: node:http alone loads Node's WebSocket, and with it a second HTTP client.
import type { Plugin } from 'esbuild';
import { isBuiltin } from 'node:module';

const namespace = 'required builtin';

export const requiredBuiltins: Plugin = {
  name: 'required builtins',
  setup: (build) => {
    build.onResolve({ filter: /^node:/ }, ({ path, kind }) =>
      kind === 'import-statement' && isBuiltin(path) ? { path, namespace } : { path, external: true },
    );
    build.onLoad({ filter: /.*/, namespace }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)});`,
    }));
  },
};
