// Validates the structure of a policy file against its JSON Schema, and collects all errors with what they are about.
// `npm run build` puts the code that ajv makes here in the place of this module, so that no start compiles the schema.
import { Ajv } from 'ajv';
import { policySchema } from './policy-schema.ts';

/** Whether the document is a policy as far as its structure goes. `errors` says what is wrong. */
export const validatePolicy = new Ajv({
  strict: true,
  allowUnionTypes: true,
  allErrors: true,
  verbose: true,
  ownProperties: true,
  // A test holds the schema to the schema of schemas; here that would be compiled, too.
  meta: false,
  validateSchema: false,
  // One function for each definition, not a copy wherever it is referred to.
  inlineRefs: false,
  code: { source: true },
}).compile(policySchema);
