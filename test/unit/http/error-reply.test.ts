import Fastify from 'fastify';
import { describe, expect, it } from 'vitest';
import { errorCodes, errorRow, ServiceError, type ErrorCode } from '../../../src/errors.ts';
import { sendError, toServiceError } from '../../../src/http/error-reply.ts';
import { refusalOf } from '../../support/refusal-of-code.ts';

const secret = 'eyJhbGciOiJIUzI1NiJ9';

describe('a thrown value becomes', () => {
  it.each([
    ['FST_ERR_CTP_BODY_TOO_LARGE', 'BODY_TOO_LARGE', 'body_too_large'],
    ['FST_ERR_CTP_INVALID_MEDIA_TYPE', 'UNSUPPORTED_MEDIA_TYPE', 'media_type'],
    ['FST_ERR_CTP_INVALID_CONTENT_LENGTH', 'INVALID_REQUEST', 'body_malformed'],
    ['FST_ERR_VALIDATION', 'INVALID_REQUEST', 'body_malformed'],
    ['FST_ERR_BAD_URL', 'INVALID_REQUEST', 'path_malformed'],
    ['ECONNRESET', 'INVALID_REQUEST', 'body_malformed'],
    ['ERR_STREAM_PREMATURE_CLOSE', 'INVALID_REQUEST', 'body_malformed'],
  ])('the corresponding refusal: %s', (code, publicCode, reason) => {
    expect(toServiceError(Object.assign(new Error(secret), { code }))).toMatchObject({ code: publicCode, reason });
  });

  it('itself, if it is a refusal', () => {
    const refusal = new ServiceError('ACCESS_DENIED', 'validation_refused');
    expect(toServiceError(refusal)).toBe(refusal);
  });

  it.each([
    new Error(secret),
    Object.assign(new Error(secret), { code: 'FST_ERR_UNKNOWN', statusCode: 401 }),
    Object.assign(new Error(secret), { statusCode: 200 }),
    { code: 'ECONNRESET' },
    secret,
    undefined,
    null,
  ])('an internal error, if it is unknown: %j', (thrown) => {
    expect(toServiceError(thrown)).toMatchObject({ code: 'INTERNAL_ERROR', reason: 'bug' });
  });
});

describe('an error response', () => {
  const send = async (error: ServiceError) => {
    const app = Fastify({ genReqId: () => 'request-1' });
    app.get('/', (request, reply) => sendError(request, reply, error));
    const response = await app.inject('/');
    await app.close();
    return response;
  };
  const challenge: Partial<Record<ErrorCode, string>> = {
    AUTHENTICATION_REQUIRED: 'Bearer',
    INVALID_TOKEN: 'Bearer error="invalid_token"',
    TOKEN_EXPIRED: 'Bearer error="invalid_token"',
  };
  const waits = ['RATE_LIMITED', 'UPSTREAM_UNAVAILABLE', 'AUTHENTICATION_UNAVAILABLE', 'AUDIT_UNAVAILABLE'];

  it.each(errorCodes)('has the status, message and headers of its code: %s', async (code) => {
    const { statusCode, headers, body } = await send(refusalOf(code));
    const { status, message } = errorRow(code);
    expect(statusCode).toBe(status);
    expect(JSON.parse(body)).toEqual({ error: { code, message, requestId: 'request-1' } });
    expect(headers).toMatchObject({
      'cache-control': 'no-store',
      'content-type': 'application/json; charset=utf-8',
    });
    expect(headers['www-authenticate']).toBe(challenge[code]);
    expect(headers['retry-after']).toBe([...waits, 'SHUTTING_DOWN'].includes(code) ? '1' : undefined);
  });

  it.each([
    [0, '1'],
    [0.2, '1'],
    [1.2, '2'],
    [30, '30'],
  ])('with %d seconds to wait has Retry-After %s', async (retryAfterSeconds, header) => {
    const { headers } = await send(new ServiceError('RATE_LIMITED', 'user_limit', { retryAfterSeconds }));
    expect(headers['retry-after']).toBe(header);
  });

  it('has the status and the message of the error', async () => {
    const { statusCode, body } = await send(
      new ServiceError('INVALID_REQUEST', 'version_refused', { status: 505, message: 'Verify your e-mail first.' }),
    );
    expect(statusCode).toBe(505);
    expect(body).toContain('Verify your e-mail first.');
  });
});
