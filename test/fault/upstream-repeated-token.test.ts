// A repeated token is never returned to another user: a cache in front of the upstream, or a response that
// was sent twice.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { httpResponse, uuidOf, type Script, type SeenRequest } from '../support/servers/faulty-upstream.ts';
import { createPairs, allOutput, outcomeOf, mintOnce } from '../support/servers/faulty-upstream-client.ts';

const { start, close } = createPairs({ timeoutMs: 3000, deadlineMs: 8000 });
afterEach(close);

const userOf = ({ body }: SeenRequest): number => Number(/"clientId":"u(\d+)"/.exec(body)?.[1]);
const tokenOf = (n: number): Buffer => httpResponse(200, JSON.stringify({ token: uuidOf(n) }));
const repeated = 'UPSTREAM_INVALID_RESPONSE upstream_token_repeated';

describe('a cache in front of the upstream that returns one token for all users', () => {
  const cached: Script = (_request, socket) => void socket.write(tokenOf(1));

  it('lets only the first user get the token', async () => {
    const { upstream, client } = await start(cached, { limits: { longRestMs: 60_000 } });
    expect(outcomeOf(await mintOnce(client, 'u1'))).toBe(uuidOf(1));
    const second = await mintOnce(client, 'u2');
    expect(outcomeOf(second)).toBe(repeated);
    expect(allOutput(client, second)).not.toContain(uuidOf(1));
    expect(outcomeOf(await mintOnce(client, 'u3'))).toBe(repeated);
    expect(outcomeOf(await mintOnce(client, 'u1'))).toBe(uuidOf(1));
    expect(upstream.seen).toHaveLength(4);
    expect(client.circuitState()).toBe('closed');
    expect(client.events).toEqual(['unexpectedResponse']);
  });

  it('lets only one of many simultaneous users get the token', async () => {
    const { client } = await start(cached, { maxRetries: 0 });
    const settled = await Promise.all(Array.from({ length: 50 }, (_, user) => mintOnce(client, `u${user}`)));
    expect(settled.filter((one) => 'minted' in one)).toHaveLength(1);
    expect(settled.filter((one) => outcomeOf(one) === repeated)).toHaveLength(49);
  });

  it('is detected for two users with the same clientId', async () => {
    const { client } = await start(cached);
    const of = (sub: string) => ({ user: { iss: 'https://login.example.com', sub } });
    expect(outcomeOf(await mintOnce(client, 'acme', of('ada')))).toBe(uuidOf(1));
    expect(outcomeOf(await mintOnce(client, 'acme', of('bob')))).toBe(repeated);
    expect(outcomeOf(await mintOnce(client, 'acme', { user: { iss: 'https://other.example.com', sub: 'ada' } }))).toBe(
      repeated,
    );
  });
});

describe('a response that is sent twice', () => {
  it('over a reused connection costs the next user one more call, and no user gets a wrong token', async () => {
    const { upstream, client } = await start(
      (request, socket) => {
        // The first response is sent again in place of the second.
        socket.write(tokenOf(request.onConnection === 1 ? 1 : userOf(request)));
      },
      { limits: { longRestMs: 5 } },
    );
    expect(outcomeOf(await mintOnce(client, 'u1'))).toBe(uuidOf(1));
    await sleep(30);
    expect(outcomeOf(await mintOnce(client, 'u2'))).toBe(uuidOf(2));
    expect(upstream.seen.map(({ connection, onConnection }) => [connection, onConnection])).toEqual([
      [0, 0],
      [0, 1],
      [1, 0],
    ]);
    expect(client.calls.map(({ result }) => result)).toEqual(['token', 'answer_misplaced', 'token']);
  });

  it('does not cause more calls than configured', async () => {
    const { upstream, client } = await start((_request, socket) => void socket.write(tokenOf(1)), {
      maxRetries: 0,
      limits: { longRestMs: 5 },
    });
    await mintOnce(client, 'u1');
    await sleep(30);
    expect(outcomeOf(await mintOnce(client, 'u2'))).toBe(repeated);
    expect(upstream.seen).toHaveLength(2);
  });

  // Sends each response twice, the second one after the connection may be used again: the shortest rest applies.
  it.each([0, 1, 3, 6, 10, 30])('%i ms apart reaches no other user in a burst', async (delayMs) => {
    const { client } = await start(
      (request, socket) => {
        const own = tokenOf(userOf(request));
        setTimeout(() => {
          socket.write(own);
          setTimeout(() => socket.write(own), delayMs);
        }, 5);
      },
      { timeoutMs: 3000, deadlineMs: 10_000, limits: { maxConcurrent: 16, connectionsBeforeShortRest: 16 } },
    );
    const users = Array.from({ length: 300 }, (_, user) => user);
    const settled = await Promise.all(users.map((user) => mintOnce(client, `u${user}`)));
    const wrong = settled.filter((one, user) => 'minted' in one && one.minted.token !== uuidOf(user));
    expect(wrong).toEqual([]);
    expect(settled.filter((one) => 'minted' in one).length).toBeGreaterThan(250);
    for (const one of settled) if ('error' in one) expect(outcomeOf(one)).toBe(repeated);
  });
});
