// The cost of a request with a known principal and token, in counts and bytes that do not depend on the machine's load.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { randomUUID } from 'node:crypto';
import { afterAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { loadPolicy } from '../../../src/policy/compile/load-policy.ts';
import { createDecide } from '../../../src/policy/decide.ts';
import type { Grant } from '../../../src/policy/decision.ts';
import { countHashes } from '../../support/count-hashes.ts';
import { createApiKeys, principalOf, startIssue } from '../../support/issuing.ts';

const hashes = countHashes();
afterAll(hashes.stop);

const policy = loadPolicy({
  text: `
version: 1
dataApps:
  sales:
    default: true
    expiresIn: 1h
    request:
      clientId: \${claims.org}
      params: { userIdentifier: "\${claims.user}", allowedEmbeds: [sales-overview] }
`,
  file: 'p.yaml',
  maxLifetimeSeconds: 86_400,
});

const userOf = (index: number) => {
  const user = `user-${index}@example.com`;
  return Object.freeze({ ...principalOf(user), claims: Object.freeze({ org: `org-${index % 500}`, user }) });
};

const start = (maxEntries: number) => {
  const decide = createDecide();
  const { issue } = startIssue({
    mint: async ({ lifetimeMs }) => ({ token: randomUUID(), sentAt: systemClock.monotonic(), lifetimeMs }),
    apiKeys: createApiKeys(),
    clock: systemClock,
    maxEntries,
  });
  const grantOf = (user: ReturnType<typeof userOf>): Grant => {
    const decision = decide(policy, user, undefined, systemClock.now());
    return decision.kind === 'permit' ? decision.grant : expect.unreachable();
  };
  return { request: (user: ReturnType<typeof userOf>) => issue(grantOf(user), user), grantOf };
};

describe('a repeated request', () => {
  it('computes no hash, and creates no new decision or grant', async () => {
    const { request, grantOf } = start(10);
    const user = userOf(1);
    const first = await request(user);
    const grant = grantOf(user);
    hashes.reset();
    for (let count = 0; count < 100; count += 1) expect((await request(user)).token).toBe(first.token);
    expect(hashes.count()).toBe(0);
    expect(grantOf(user)).toBe(grant);
  });

  it('computes four hashes the first time: request, reuse key, tag, token', async () => {
    const { request } = start(10);
    await request(userOf(1));
    hashes.reset();
    await request(userOf(2));
    expect(hashes.count()).toBe(4);
  });
});

describe('the memory for 100,000 users', () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const heapMegabytes = (): number => {
    collectGarbage();
    collectGarbage();
    return process.memoryUsage().heapUsed / 2 ** 20;
  };
  const sample = 20_000;

  it('is 45 MB of reusable tokens, and 80 MB of principals and decisions while their access tokens are remembered', async () => {
    const { request } = start(100_000);
    await request(userOf(sample));
    const before = heapMegabytes();
    const principals = Array.from({ length: sample }, (_, index) => userOf(index));
    for (const user of principals) await request(user);
    const whole = (heapMegabytes() - before) * (100_000 / sample);
    principals.length = 0;
    const tokens = (heapMegabytes() - before) * (100_000 / sample);
    expect(tokens).toBeLessThan(45);
    expect(whole - tokens).toBeGreaterThan(10);
    expect(whole - tokens).toBeLessThan(80);
    await request(userOf(sample));
  });
});
