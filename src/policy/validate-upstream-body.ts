// Validates the body of POST /api/v2/guest-token/create, just before it is sent.
// `npm run build` puts the code that ajv makes here in the place of this module, so that no start compiles the schema.
import { Ajv } from 'ajv';
import { upstreamBodySchema } from './upstream-request.ts';

/** Whether this is a body that Databrain may be sent. */
export const validateUpstreamBody = new Ajv({
  strict: true,
  allErrors: false,
  allowUnionTypes: true,
  // A test holds the schema to the schema of schemas; here that would be compiled, too.
  meta: false,
  validateSchema: false,
  code: { source: true },
}).compile(upstreamBodySchema);
