// Validates the body of POST /playground/evaluate: a policy and claims, with what they are compared to.
// `npm run build` puts the code that ajv makes here in the place of this module, so that no start compiles the schema.
import { Ajv } from 'ajv';

const maxText = 262_144;

export const playgroundBodySchema = {
  type: 'object',
  required: ['policy', 'claims'],
  additionalProperties: false,
  properties: {
    policy: { type: 'string', maxLength: maxText },
    claims: { type: 'object' },
    dataApp: { type: 'string', minLength: 1, maxLength: 256 },
    otherClaims: { type: 'object' },
    otherPolicy: { type: 'string', maxLength: maxText },
    tests: { type: 'string', maxLength: maxText },
  },
} as const;

/** Nothing is coerced, removed or filled in. */
export const validatePlaygroundBody = new Ajv({
  strict: true,
  meta: false,
  validateSchema: false,
  code: { source: true },
}).compile(playgroundBodySchema);
