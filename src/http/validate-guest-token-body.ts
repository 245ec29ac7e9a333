// Validates the body of POST /guest-token: none, or an object that names a data app.
// `npm run build` puts the code that ajv makes here in the place of this module, so that no start compiles the schema.
import { Ajv } from 'ajv';

export const guestTokenBodySchema = {
  type: ['object', 'null'],
  additionalProperties: false,
  properties: { dataApp: { type: 'string', minLength: 1, maxLength: 256 } },
} as const;

/** Nothing is coerced, removed or filled in. */
export const validateGuestTokenBody = new Ajv({
  strict: true,
  allowUnionTypes: true,
  meta: false,
  validateSchema: false,
  code: { source: true },
}).compile(guestTokenBodySchema);
