// When a Vault token is renewed, with a simulated Vault and clock.
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Secret } from '../../../src/secrets/secret.ts';
import { createVaultSession } from '../../../src/secrets/vault/vault-session.ts';
import type { VaultResponse } from '../../../src/secrets/vault/vault-request.ts';

const lifetimeMs = 60_000;

function start(answer: (path: string) => Promise<VaultResponse>) {
  const begun = performance.now();
  const requests: { readonly path: string; readonly atMs: number }[] = [];
  let logins = 0;
  const session = createVaultSession({
    send: ({ path }) => {
      requests.push({ path, atMs: performance.now() - begun });
      return answer(path);
    },
    login: {
      makesTokens: true,
      run: () => {
        logins += 1;
        return Promise.resolve({
          kind: 'ok',
          token: { token: new Secret(`hvs.${logins}`), lifetimeMs, renewable: true },
        });
      },
    },
    clock: { now: () => Date.now(), monotonic: () => performance.now() },
    random: () => 0.5,
    onEvent: () => undefined,
  });
  return { session, requests, logins: () => logins };
}

const renewed: VaultResponse = {
  kind: 'ok',
  body: { auth: { client_token: 'hvs.1', lease_duration: lifetimeMs / 1000, renewable: true } },
};

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('a token is renewed after two thirds of its lifetime, every time', async () => {
  const { session, requests, logins } = start(() => Promise.resolve(renewed));
  await session.token();
  await vi.advanceTimersByTimeAsync(2 * lifetimeMs);
  expect(requests).toEqual([39_000, 78_000, 117_000].map((atMs) => ({ path: 'auth/token/renew-self', atMs })));
  expect(logins()).toBe(1);
});

it('a read shortly before the end of a token waits for the running renewal', async () => {
  const answers: ((response: VaultResponse) => void)[] = [];
  const { session, logins } = start(() => new Promise((resolve) => answers.push(resolve)));
  const first = await session.token();
  await vi.advanceTimersByTimeAsync(lifetimeMs - 500);
  const read = session.token();
  await vi.advanceTimersByTimeAsync(100);
  expect(logins()).toBe(1);
  answers[0]?.(renewed);
  const again = await read;
  expect(again.kind === 'ok' && first.kind === 'ok' && again.token.token).toBe(
    first.kind === 'ok' && first.token.token,
  );
  expect(logins()).toBe(1);
});

it('a read shortly before the end of a token logs in if the renewal fails', async () => {
  const answers: ((response: VaultResponse) => void)[] = [];
  const { session, logins } = start(() => new Promise((resolve) => answers.push(resolve)));
  await session.token();
  await vi.advanceTimersByTimeAsync(lifetimeMs - 500);
  const reads = [session.token(), session.token()];
  answers[0]?.({ kind: 'refused', problem: 'is refused', fix: 'none', status: 403, body: {} });
  for (const read of await Promise.all(reads)) expect(read.kind).toBe('ok');
  expect(logins()).toBe(2);
});
