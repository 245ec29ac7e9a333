// The policy playground on the admin listener: a page, its files, and one route that evaluates a policy. Serves only
// its own origin, under a Content-Security-Policy without inline scripts and eval. Mints nothing and changes nothing.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ServiceError } from '../errors.ts';
import { compileSchema } from '../json-schema.ts';
import type { PlaygroundEvaluator, PlaygroundInput } from '../playground/evaluator.ts';
import { registerJsonBody } from './json-body.ts';

export interface PlaygroundOptions {
  readonly evaluate: PlaygroundEvaluator;
  /** The initial content of the page: the policy in use and its tests, read for each request. */
  readonly start: () => Promise<{ readonly policy: string; readonly tests: string }>;
  readonly files: PlaygroundFiles;
  readonly now: () => number;
}

/** Contents of the page's files, by name. */
export type PlaygroundFiles = Readonly<Record<'index.html' | 'page.css' | 'page.js' | 'policy.schema.json', string>>;

const types: Readonly<Record<keyof PlaygroundFiles, string>> = {
  'index.html': 'text/html; charset=utf-8',
  'page.css': 'text/css; charset=utf-8',
  'page.js': 'text/javascript; charset=utf-8',
  'policy.schema.json': 'application/json; charset=utf-8',
};

const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const home = '/playground/';
const bodyLimitBytes = 1_048_576;
const maxText = 262_144;

/** A policy and claims, with what they are compared to. */
const bodySchema = {
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

export const validatePlaygroundBody = compileSchema('playgroundBody', bodySchema);

/** The paths, each with its Allow header. */
export const playgroundPaths: readonly (readonly [path: string, methods: string])[] = [
  ['/playground', 'GET, HEAD'],
  [home, 'GET, HEAD'],
  ...Object.keys(types).map((name) => [home + name, 'GET, HEAD'] as const),
  [`${home}start`, 'GET, HEAD'],
  [`${home}evaluate`, 'POST'],
];

/** Pages of other origins are refused. Browsers send the origin in one of two headers. */
function refuseOtherOrigins({ headers }: FastifyRequest): void {
  const { origin, host, 'sec-fetch-site': site } = headers;
  const isOther = origin !== undefined && origin !== `http://${host ?? ''}` && origin !== `https://${host ?? ''}`;
  if (isOther || (site !== undefined && site !== 'same-origin' && site !== 'none')) {
    throw new ServiceError('ORIGIN_NOT_ALLOWED', 'origin_refused');
  }
}

const secure = (reply: FastifyReply): FastifyReply =>
  reply
    .header('content-security-policy', contentSecurityPolicy)
    .header('referrer-policy', 'no-referrer')
    .header('cache-control', 'no-store');

export function registerPlayground(app: FastifyInstance, { evaluate, start, files, now }: PlaygroundOptions): void {
  registerJsonBody(app);

  app.get('/playground', async (_request, reply) => secure(reply).redirect(home, 308));
  app.get(home, async (_request, reply) => secure(reply).type(types['index.html']).send(files['index.html']));
  for (const name of Object.keys(types) as (keyof PlaygroundFiles)[]) {
    app.get(home + name, async (_request, reply) => secure(reply).type(types[name]).send(files[name]));
  }
  app.get(`${home}start`, async (request, reply) => {
    refuseOtherOrigins(request);
    secure(reply);
    return start();
  });
  app.post<{ Body: PlaygroundInput }>(`${home}evaluate`, {
    schema: { body: bodySchema },
    validatorCompiler: () => validatePlaygroundBody,
    bodyLimit: bodyLimitBytes,
    onRequest: async (request) => refuseOtherOrigins(request),
    handler: async (request, reply) => {
      secure(reply);
      return evaluate(request.body, now());
    },
  });
}
