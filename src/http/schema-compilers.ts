// What Fastify does with JSON Schemas: nothing by itself. A route with a schema brings its validator, which the build has
// compiled, and responses are plain JSON. So Fastify does not load the compilers that it has for both.
import type { FastifyServerOptions } from 'fastify';
import { ServiceError } from '../errors.ts';

/** For `schemaController` of every Fastify instance. Throws ServiceError for a route that brings no validator. */
export const schemaCompilers: NonNullable<FastifyServerOptions['schemaController']> = {
  compilersFactory: {
    buildValidator: () => () => {
      throw new ServiceError('INTERNAL_ERROR', 'bug');
    },
    buildSerializer: () => () => (data) => JSON.stringify(data),
  },
};
