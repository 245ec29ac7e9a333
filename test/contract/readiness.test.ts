// Checks that every document that explains `/readyz` names exactly its checks.
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { createReadiness } from '../../src/http/health.ts';
import { loadPolicy } from '../../src/policy/compile/load-policy.ts';
import { createApiKeys } from '../support/issuing.ts';
import { salesPolicy } from '../support/sales-policy.ts';
import { readDocument } from './settings-documents.ts';

interface OpenApi {
  readonly paths: { readonly '/readyz': { readonly get: { readonly description: string } } };
  readonly components: {
    readonly schemas: {
      readonly Health: { readonly properties: { readonly checks: { readonly properties: object } } };
    };
  };
}

const policy = loadPolicy({ text: salesPolicy, file: 'policy.yaml', maxLifetimeSeconds: 3600 });
/** The names of the checks in the response, which leaves undefined ones out. */
function checksWith(secretsAreCurrent?: () => boolean): readonly string[] {
  const { checks } = createReadiness({
    policy: () => policy,
    apiKeys: createApiKeys(),
    authenticator: { ready: () => true },
    canRecord: () => true,
    isServing: () => true,
    secretsAreCurrent,
  })();
  return Object.entries(checks).flatMap(([name, result]) => (result === undefined ? [] : [name]));
}

const openApi = parse(readDocument('openapi.yaml')) as OpenApi;
const { description } = openApi.paths['/readyz'].get;

/** The names in back quotes of the first line that matches. */
const namesIn = (text: string, line = /^.*$/s): readonly string[] =>
  [...(line.exec(text)?.[0] ?? '').matchAll(/`([a-zA-Z]+)`/g)].map(([, name = '']) => name);
const required = (names: readonly string[]): readonly string[] =>
  names.filter((name) => !['failing', 'secretStores'].includes(name));

it.each([
  ['README.md, "Probes"', required(namesIn(readDocument('README.md'), /^\*\*Probes\.\*\*.*$/m))],
  ['docs/deployment.md, "Kubernetes"', required(namesIn(readDocument('docs/deployment.md'), /^- `\/livez` .*$/m))],
  ['openapi.yaml, the description of /readyz', required(namesIn(description))],
])('%s names the checks that the status depends on', (place, names) => {
  expect(names, `name each check of src/http/health.ts in ${place}`).toEqual(checksWith());
});

it('openapi.yaml has all checks in its schema', () => {
  const named = Object.keys(openApi.components.schemas.Health.properties.checks.properties);
  expect(named, 'correct components.schemas.Health in openapi.yaml').toEqual(checksWith(() => true));
  expect(namesIn(description)).toContain('secretStores');
});
