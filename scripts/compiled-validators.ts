// An esbuild plugin that replaces src/json-schema.ts with ajv's standalone code, so that no start compiles a JSON
// Schema, and ajv is not in the bundle.
import { Ajv, type ValidateFunction } from 'ajv';
import standalone from 'ajv/dist/standalone/index.js';
import type { Plugin } from 'esbuild';
import { validateGuestTokenBody } from '../src/http/guest-token-route.ts';
import { validatePlaygroundBody } from '../src/http/playground.ts';
import type { ValidatorName } from '../src/json-schema.ts';
import { validatePolicy } from '../src/policy/document/policy-schema.ts';
import { validateUpstreamBody } from '../src/policy/upstream-request.ts';

const validators: ReadonlyMap<string, ValidateFunction> = new Map<string, ValidateFunction>(
  Object.entries({
    guestTokenBody: validateGuestTokenBody,
    playgroundBody: validatePlaygroundBody,
    policy: validatePolicy,
    upstreamBody: validateUpstreamBody,
  } satisfies Record<ValidatorName, ValidateFunction>),
);

const generator = new Ajv({ code: { source: true, esm: true } });

/**
 * The same exports as src/json-schema.ts. Each validator is a separate module, because ajv uses the same names in each.
 */
const contents = `${[...validators.keys()].map((name) => `import ${name} from 'validator:${name}';`).join('\n')}
const validators = { ${[...validators.keys()].join(', ')} };
export const compileSchema = (name) => validators[name];`;

export const compiledValidators: Plugin = {
  name: 'compiled validators',
  setup: (build) => {
    build.onLoad({ filter: /[/\\]src[/\\]json-schema\.ts$/ }, () => ({ contents, resolveDir: import.meta.dirname }));
    build.onResolve({ filter: /^validator:/ }, ({ path }) => ({
      path: path.slice('validator:'.length),
      namespace: 'validator',
    }));
    build.onLoad({ filter: /./, namespace: 'validator' }, ({ path }) => {
      const validate = validators.get(path);
      return validate && { contents: standalone.default(generator, validate), resolveDir: import.meta.dirname };
    });
  },
};
