// After the upstream has refused our API key, its source is read again once and the call is made once
// more if the key changed. It never becomes the user's 401.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { Secret } from '../../src/secrets/secret.ts';
import { httpResponse, errorResponse, tokenResponse, uuidOf, type Script } from '../support/servers/faulty-upstream.ts';
import { createPairs, allOutput, outcomeOf, mintOnce } from '../support/servers/faulty-upstream-client.ts';

const oldKey = '01d00000-0000-4000-8000-00000000000a';
const newKey = '2e200000-0000-4000-8000-00000000000b';

/** Keys whose source contains `inSource` and is read only by `renew`. */
function keysWith(inUse: string, inSource: () => string, readMs = 5) {
  let current = new Secret(inUse);
  let reads = 0;
  return {
    reads: () => reads,
    replace: (value: string) => (current = new Secret(value)),
    get: (name: string) => (name === 'DATABRAIN_API_KEY' ? current : undefined),
    reload: async () => {
      reads += 1;
      await sleep(readMs);
      const changed = inSource() !== current.reveal();
      if (changed) current = new Secret(inSource());
      return changed;
    },
  };
}

const pairs = createPairs();
afterEach(pairs.close);

/** An upstream that accepts one key and refuses all others with the given response. */
function start(
  accepted: string,
  apiKeys: ReturnType<typeof keysWith>,
  refusal = errorResponse(401, 'AUTHENTICATION_ERROR'),
) {
  let tokens = 1;
  const respond: Script = (request, socket) => {
    const isAccepted = request.headers.get('authorization') === `Bearer ${accepted}`;
    socket.write(isAccepted ? tokenResponse(tokens++) : refusal);
  };
  return pairs.start(respond, { apiKeys });
}

describe('an API key that the upstream refuses', () => {
  it.each([
    ['401 AUTHENTICATION_ERROR', errorResponse(401, 'AUTHENTICATION_ERROR')],
    ['400 AUTHENTICATION_ERROR', errorResponse(400, 'AUTHENTICATION_ERROR')],
    ['401 AUTHENTICATION_ERR', errorResponse(401, 'AUTHENTICATION_ERR')],
    ['400 AUTHENTICATION_ERR', errorResponse(400, 'AUTHENTICATION_ERR')],
    ['401 EXPIRED_TOKEN', errorResponse(401, 'EXPIRED_TOKEN')],
    ['401 without a body', httpResponse(401)],
    ['401 with an unknown code', errorResponse(401, 'SOMETHING_NEW')],
    ['400 with a sentence only', httpResponse(400, JSON.stringify({ error: 'Invalid API key' }))],
    ['200 with the error', httpResponse(200, JSON.stringify({ error: { code: 'AUTHENTICATION_ERROR' } }))],
  ])('is read again after %s, and the user gets the token', async (_what, refusal) => {
    const keys = keysWith(oldKey, () => newKey);
    const { upstream, client } = await start(newKey, keys, refusal);
    expect(outcomeOf(await mintOnce(client))).toBe(uuidOf(1));
    expect(keys.reads()).toBe(1);
    expect(upstream.seen).toHaveLength(2);
    expect(client.events).toEqual([]);
  });

  it('is logged with its setting, answered with 502 and not used again if it has not changed', async () => {
    const keys = keysWith(oldKey, () => oldKey);
    const { upstream, client } = await start(newKey, keys);
    const settled = await mintOnce(client);
    expect(outcomeOf(settled)).toBe('UPSTREAM_REJECTED upstream_key_refused');
    expect('error' in settled && settled.error.detail.upstreamCode).toBe('AUTHENTICATION_ERROR');
    expect(keys.reads()).toBe(1);
    expect(upstream.seen).toHaveLength(1);
    expect(client.events).toEqual(['key refused DATABRAIN_API_KEY']);
    expect(allOutput(client, settled)).not.toContain(oldKey);
  });

  it('is replaced and tried again only once', async () => {
    let generation = 0;
    const keys = keysWith(oldKey, () => `another-${generation++}`);
    const { upstream, client } = await start(newKey, keys);
    expect(outcomeOf(await mintOnce(client))).toBe('UPSTREAM_REJECTED upstream_key_refused');
    expect(upstream.seen).toHaveLength(2);
    expect(client.events).toEqual(['key refused DATABRAIN_API_KEY']);
  });

  it('is read once for all calls that were refused at the same time', async () => {
    const keys = keysWith(oldKey, () => newKey, 100);
    const { upstream, client } = await start(newKey, keys);
    const settled = await Promise.all(Array.from({ length: 20 }, (_, i) => mintOnce(client, `user-${i}`)));
    expect(settled.map(outcomeOf).sort()).toEqual(Array.from({ length: 20 }, (_, i) => uuidOf(i + 1)));
    expect(keys.reads()).toBe(1);
    expect(upstream.seen).toHaveLength(40);
  });

  it('is not read if another call has already loaded the new key', async () => {
    const keys = keysWith(oldKey, () => newKey);
    const refusal = errorResponse(401, 'AUTHENTICATION_ERROR');
    const respond: Script = (request, socket) => {
      keys.replace(newKey);
      socket.write(request.index === 0 ? refusal : tokenResponse(1));
    };
    const { client } = await pairs.start(respond, { apiKeys: keys });
    expect(outcomeOf(await mintOnce(client))).toBe(uuidOf(1));
    expect(keys.reads()).toBe(0);
  });

  it('is not awaited beyond the deadline if its source does not answer', async () => {
    const keys = keysWith(oldKey, () => newKey, 5000);
    const { client } = await start(newKey, keys);
    const settled = await mintOnce(client);
    expect(outcomeOf(settled)).toBe('UPSTREAM_REJECTED upstream_key_refused');
    expect(settled.ms).toBeLessThan(2000);
  });

  it('uses no retry, and does not count for the circuit', async () => {
    const keys = keysWith(oldKey, () => oldKey);
    const { client } = await start(newKey, keys);
    for (let i = 0; i < 15; i += 1) await mintOnce(client);
    expect(client.circuitState()).toBe('closed');
    expect(client.events.filter((line) => line.startsWith('retry'))).toEqual([]);
  });

  it('is an internal error without a call if its setting does not exist', async () => {
    const { upstream, client } = await start(
      newKey,
      keysWith(oldKey, () => newKey),
    );
    const settled = await mintOnce(client, 'acme', { apiKeyName: 'DATABRAIN_API_KEY_NOBODY' });
    expect(outcomeOf(settled)).toBe('INTERNAL_ERROR api_key_missing');
    expect(upstream.seen).toHaveLength(0);
  });
});
