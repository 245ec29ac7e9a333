// Compiles JSON Schemas to validators, once for each, when the module with the schema is loaded. `npm run build` puts
// the code that ajv generates, so that no start compiles a schema and ajv is not in the bundle.
import { Ajv, type AnySchemaObject, type Options, type ValidateFunction } from 'ajv';

/** Every validator of the program. The build compiles them. */
export type ValidatorName = 'guestTokenBody' | 'playgroundBody' | 'policy' | 'upstreamBody';

/** Nothing is coerced, removed or filled in. A test validates the schemas against the meta-schema. */
export const compileSchema = (_name: ValidatorName, schema: AnySchemaObject, options: Options = {}): ValidateFunction =>
  new Ajv({
    strict: true,
    allowUnionTypes: true,
    meta: false,
    validateSchema: false,
    code: { source: true },
    ...options,
  }).compile(schema);
