// An esbuild plugin that leaves out parts of libraries that the service never calls. They are a quarter of the code,
// and every start would read them.
import type { Plugin } from 'esbuild';

/**
 * undici's main module also loads fetch, WebSocket, caches, mocks and more. These are the parts that the service
 * imports; the build fails if it imports another one. `Dispatcher` gets its methods as in undici's own main module.
 */
const undici = `
import Dispatcher from 'undici/lib/dispatcher/dispatcher.js';
import methods from 'undici/lib/api/index.js';
Object.assign(Dispatcher.prototype, methods);
export { default as Agent } from 'undici/lib/dispatcher/agent.js';
export { default as Client } from 'undici/lib/dispatcher/client.js';
export { default as Pool } from 'undici/lib/dispatcher/pool.js';
export { default as buildConnector } from 'undici/lib/core/connect.js';
export { default as errors } from 'undici/lib/core/errors.js';
`;

const modules = (...paths: readonly string[]): RegExp => new RegExp(`node_modules/(?:${paths.join('|')})`);

/** Loaded, but never called. */
const unused = modules(
  // HTTP/2, bodies of the Fetch API, and undici's experimental parser (UNDICI_USE_MILO).
  'undici/lib/(?:web|milo)/',
  'undici/lib/dispatcher/client-h2\\.js',
  // Fastify gets the service's own compilers (src/http/json-body.ts), and `inject` is for tests.
  '@fastify/(?:ajv|fast-json-stringify)-compiler/',
  'light-my-request/',
  // @fastify/rate-limit gets the service's own keys, and groups no addresses.
  'ip-address/',
  'prom-client/lib/pushgateway\\.js',
);

/** Imports of one library, for what the service does not use: exemplars of metrics, and HTTP/2. */
const unusedBy: Readonly<Record<string, string>> = { '@opentelemetry/api': 'prom-client', 'node:http2': 'fastify' };

const nothing = { contents: 'module.exports = {};' };

export const leftOutOfTheBundle: Plugin = {
  name: 'left out of the bundle',
  setup: (build) => {
    build.onResolve({ filter: /^undici$/ }, ({ path }) => ({ path, namespace: 'parts' }));
    build.onLoad({ filter: /^undici$/, namespace: 'parts' }, () => ({
      contents: undici,
      resolveDir: import.meta.dirname,
    }));
    build.onResolve({ filter: new RegExp(`^(?:${Object.keys(unusedBy).join('|')})$`) }, ({ path, importer }) =>
      importer.includes(`node_modules/${unusedBy[path]}/`) ? { path, namespace: 'unused' } : undefined,
    );
    build.onLoad({ filter: /./, namespace: 'unused' }, () => nothing);
    build.onLoad({ filter: unused }, () => nothing);
  },
};
