// An esbuild plugin that puts ajv's standalone code in the place of each module that compiles a JSON Schema, so that no
// start compiles one, and ajv is not in the bundle.
import { Ajv, type AnySchemaObject, type ValidateFunction } from 'ajv';
import standalone from 'ajv/dist/standalone/index.js';
import type { Plugin } from 'esbuild';
import { fileURLToPath } from 'node:url';
import * as guestTokenBody from '../src/http/validate-guest-token-body.ts';
import * as playgroundBody from '../src/http/validate-playground-body.ts';
import * as policy from '../src/policy/document/validate-policy.ts';
import * as upstreamBody from '../src/policy/validate-upstream-body.ts';

/** Such a module exports validators and schemas, and nothing else. */
type ValidatorModule = Readonly<Record<string, ValidateFunction | AnySchemaObject>>;

const modules: ReadonlyMap<string, ValidatorModule> = new Map<string, ValidatorModule>(
  Object.entries({
    'http/validate-guest-token-body.ts': guestTokenBody,
    'http/validate-playground-body.ts': playgroundBody,
    'policy/document/validate-policy.ts': policy,
    'policy/validate-upstream-body.ts': upstreamBody,
  }).map(([path, exported]) => [fileURLToPath(new URL(`../src/${path}`, import.meta.url)), exported]),
);

const generator = new Ajv({ code: { source: true, esm: true } });

const isValidator = (exported: ValidateFunction | AnySchemaObject): exported is ValidateFunction =>
  typeof exported === 'function';

/** The generated code exports its validator as `validate`. */
const toCode = ([name, exported]: [string, ValidateFunction | AnySchemaObject]): string =>
  isValidator(exported)
    ? `${standalone.default(generator, exported)}\nexport { validate as ${name} };`
    : `export const ${name} = ${JSON.stringify(exported)};`;

export const compiledValidators: Plugin = {
  name: 'compiled validators',
  setup: (build) => {
    build.onLoad({ filter: /[/\\]validate-[a-z-]+\.ts$/ }, ({ path }) => {
      const exported = modules.get(path);
      return exported && { contents: Object.entries(exported).map(toCode).join('\n') };
    });
  },
};
