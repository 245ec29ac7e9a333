// An esbuild plugin for packages that the service loads later, by `await import('package')`. A CommonJS package in a
// separate chunk has only a default export; this plugin adds the named exports that Node.js would give it.
import type { Plugin } from 'esbuild';
import packageJson from '../package.json' with { type: 'json' };

const namespace = 'named exports';

export const namedExports: Plugin = {
  name: 'named exports',
  setup: (build) => {
    build.onResolve({ filter: /^[@a-z]/ }, ({ path, kind, namespace: from }) =>
      kind === 'dynamic-import' && from === 'file' && Object.hasOwn(packageJson.dependencies, path)
        ? { path, namespace }
        : undefined,
    );
    build.onLoad({ filter: /.*/, namespace }, async ({ path }) => {
      const names = Object.keys((await import(path)) as object).filter((name) => /^[A-Za-z_$][\w$]*$/.test(name));
      return {
        contents: `export { ${names.join(', ')} } from ${JSON.stringify(path)};`,
        resolveDir: import.meta.dirname,
      };
    });
  },
};
