import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ServiceError } from '../../../src/errors.ts';
import { createDecide, decide } from '../../../src/policy/decide.ts';
import { loadPolicy } from '../../../src/policy/compile/load-policy.ts';
import type { DataAppPolicy, Policy } from '../../../src/policy/policy.ts';
import { LoadProblem } from '../../../src/problem.ts';
import { caseTime, principalOf } from '../../policy/policy-case.ts';

const load = (request: string, more = ''): Policy =>
  loadPolicy({
    text: `{ version: 1, dataApps: { s: { default: true, expiresIn: 1h, ${more} request: ${request} } } }`,
    file: 'p.yaml',
    maxLifetimeSeconds: 86_400,
  });

const reasonFor = (policy: Policy, claims: Readonly<Record<string, unknown>>): string => {
  const decision = decide(policy, principalOf(claims), undefined, caseTime);
  return decision.kind === 'permit' ? 'permit' : decision.denial.reason;
};

const filter = '{ clientId: a, params: { appFilters: [{ metricId: m, values: { v: "${claims.v}" } }] } }';

describe('the limits of claim values', () => {
  it('allow lists of 1000 elements and refuse longer ones', () => {
    const policy = load(filter);
    expect(reasonFor(policy, { v: Array(1000).fill('x') })).toBe('permit');
    expect(reasonFor(policy, { v: Array(1001).fill('x') })).toBe('filter_value_refused');
  });

  it('allow identifiers of 256 characters and refuse longer ones', () => {
    const policy = load('{ clientId: a, params: { userIdentifier: "${claims.v}" } }');
    expect(reasonFor(policy, { v: 'x'.repeat(256) })).toBe('permit');
    expect(reasonFor(policy, { v: 'x'.repeat(257) })).toBe('value_refused');
  });

  it('allow strings of 4096 characters, whatever the patterns allow', () => {
    const wide = load(filter, 'filterValuePattern: "^.*$",');
    expect(reasonFor(wide, { v: 'x'.repeat(4096) })).toBe('permit');
    expect(reasonFor(wide, { v: 'x'.repeat(4097) })).toBe('filter_value_refused');
    const client = load('{ clientId: "${claims.v}" }', 'clientIdPattern: "^x*$",');
    expect(reasonFor(client, { v: 'x'.repeat(4096) })).toBe('permit');
    expect(reasonFor(client, { v: 'x'.repeat(4097) })).toBe('client_id_refused');
  });
});

describe('a decision', () => {
  it.each([new TypeError('a bug'), new ServiceError('INTERNAL_ERROR', 'bug'), new LoadProblem('is not loaded')])(
    'is an exception, and not a denial, after the failure %s',
    (failure) => {
      const policy = load('{ clientId: a }');
      const fails = (): never => {
        throw failure;
      };
      const broken = { ...policy, defaultDataApp: { ...policy.defaultDataApp, buildRequest: fails } as DataAppPolicy };
      expect(() => decide(broken, principalOf({}), undefined, caseTime)).toThrow(failure);
    },
  );

  it('permits a guest token within the access token if that has two seconds left', () => {
    const policy = load('{ clientId: a }', 'withinAccessToken: true,');
    const until = (ms: number): string => {
      const decision = decide(policy, principalOf({}, (caseTime + ms) / 1000), undefined, caseTime);
      return decision.kind === 'permit' ? `${decision.grant.lifetimeMs}` : decision.denial.reason;
    };
    expect([2000, 1999].map(until)).toEqual(['2000', 'access_token_ends_too_soon']);
  });

  it('includes the end of the access token only if the policy requires it', () => {
    const bound = decide(
      load('{ clientId: a }', 'withinAccessToken: true,'),
      principalOf({}, 1_800_000_100.5),
      undefined,
      caseTime,
    );
    expect(bound).toMatchObject({ grant: { lifetimeMs: 100_500, notAfterMs: 1_800_000_100_500 } });
    const free = decide(load('{ clientId: a }'), principalOf({}, 1_800_000_100.5), undefined, caseTime);
    expect(free.kind === 'permit' && Object.keys(free.grant).sort()).toEqual([
      'apiKeyName',
      'lifetimeMs',
      'policyRevision',
      'request',
      'requestSha256',
      'user',
    ]);
  });

  it('is made by the policy whose revision it contains', () => {
    const policy = load('{ clientId: a }');
    expect(policy.revision).toMatch(/^[0-9a-f]{12}$/);
    expect(load('{ clientId: b }').revision).not.toBe(policy.revision);
    expect(decide(policy, principalOf({}), undefined, caseTime)).toMatchObject({
      grant: { policyRevision: policy.revision },
    });
    expect(decide(policy, principalOf({}), 'x', caseTime)).toMatchObject({ policyRevision: policy.revision });
  });

  it('evaluates a variable once, however often it is used', () => {
    const policy = loadPolicy({
      text: '{ version: 1, variables: { v: claims.a + "1" }, dataApps: { s: { default: true, when: variables.v == "a1", expiresIn: 1h, request: { clientId: "${variables.v}", datasourceName: "${variables.v}" } } } }',
      file: 'p.yaml',
      maxLifetimeSeconds: 86_400,
    });
    const evaluated: string[] = [];
    const trace = {
      evaluated: ({ path }: { path: string }) => void evaluated.push(path),
      branch: () => undefined,
      placed: () => undefined,
      refused: () => undefined,
    };
    expect(decide(policy, principalOf({ a: 'a' }), undefined, caseTime, trace).kind).toBe('permit');
    expect(evaluated.filter((path) => path === 'variables.v')).toHaveLength(1);
  });

  it('is not a denial after a programming error', () => {
    const policy = load('{ clientId: a }');
    const app = policy.dataApps.get('s');
    if (app === undefined) expect.unreachable();
    const broken = {
      ...app,
      buildRequest: () => {
        throw new TypeError('a bug');
      },
    };
    const withBug: Policy = { ...policy, defaultDataApp: broken };
    expect(() => decide(withBug, principalOf({}), undefined, caseTime)).toThrow(TypeError);
  });

  it('refuses a value that JSON cannot represent', () => {
    const policy = load('{ clientId: a }');
    const app = policy.dataApps.get('s') ?? expect.unreachable();
    for (const datasourceName of ['\ud800', Number.NaN as unknown as string]) {
      const buildRequest = () => ({ clientId: 'a', dataAppName: 's', datasourceName });
      const decision = decide(
        { ...policy, defaultDataApp: { ...app, buildRequest } },
        principalOf({}),
        undefined,
        caseTime,
      );
      expect(decision).toMatchObject({
        denial: { code: 'ACCESS_DENIED', reason: 'value_refused', position: 'p.yaml:1:27' },
      });
    }
  });
});

describe('the hash of a request', () => {
  const hashOf = (policy: Policy, claims: Readonly<Record<string, unknown>> = {}): string => {
    const decision = decide(policy, principalOf(claims), undefined, caseTime);
    return decision.kind === 'permit' ? decision.grant.requestSha256 : expect.unreachable();
  };

  it('is the SHA-256 of its canonical JSON (RFC 8785) without expiryTime', () => {
    const policy = load('{ clientId: a, params: { userIdentifier: "${claims.sub}", allowedEmbeds: [z, b] } }');
    const canonical =
      '{"clientId":"a","dataAppName":"s","params":{"allowedEmbeds":["z","b"],"userIdentifier":"ü € 😀"}}';
    expect(hashOf(policy, { sub: 'ü € 😀' })).toBe(createHash('sha256').update(canonical).digest('hex'));
  });

  it('does not depend on the order that JavaScript gives to numeric names', () => {
    const policy = load(
      '{ clientId: a, params: { appFilters: [{ metricId: m, values: { "9": x, "10": "${claims.y}" } }] } }',
    );
    const canonical =
      '{"clientId":"a","dataAppName":"s","params":{"appFilters":[{"metricId":"m","values":{"10":"null","9":"x"}}]}}';
    expect(hashOf(policy, { y: 'null' })).toBe(createHash('sha256').update(canonical).digest('hex'));
  });

  it('depends on every value, but not on the order of members in the file or in the claims', () => {
    const one = load('{ clientId: a, datasourceName: d }');
    const other = load('{ datasourceName: d, clientId: a }');
    expect(hashOf(one)).toBe(hashOf(other));
    expect(hashOf(load('{ datasourceName: e, clientId: a }'))).not.toBe(hashOf(one));
  });
});

describe('remembered decisions', () => {
  const nobody = principalOf({});

  /** A policy, and a count of the evaluations of its default data app. */
  const counted = (policy: Policy) => {
    const app = policy.dataApps.get('s') ?? expect.unreachable();
    let evaluated = 0;
    const buildRequest: typeof app.buildRequest = (evaluation) => {
      evaluated += 1;
      return app.buildRequest(evaluation);
    };
    const defaultDataApp = { ...app, buildRequest };
    const counting: Policy = { ...policy, defaultDataApp, dataApps: new Map([['s', defaultDataApp]]) };
    return { policy: counting, evaluated: () => evaluated };
  };

  it('are evaluated once per principal, data app and policy', () => {
    const { policy, evaluated } = counted(load('{ clientId: "${claims.v}" }'));
    const remember = createDecide();
    const [alice, bob] = [principalOf({ v: 'a' }), principalOf({ v: 'b' })];
    for (let count = 0; count < 3; count += 1) {
      for (const [principal, clientId] of [
        [alice, 'a'],
        [bob, 'b'],
      ] as const) {
        expect(remember(policy, principal, undefined, caseTime)).toMatchObject({ grant: { request: { clientId } } });
        expect(remember(policy, principal, 's', caseTime)).toEqual(decide(policy, principal, 's', caseTime));
      }
    }
    expect(evaluated()).toBe(4 + 6);
  });

  it('are computed again after a reload with the new policy, and after a return to the old one', () => {
    const [first, second] = [counted(load('{ clientId: a }')), counted(load('{ clientId: b }'))];
    const remember = createDecide();
    const clientIds = [first, second, second, first].map(({ policy }) => {
      const decision = remember(policy, nobody, undefined, caseTime);
      return decision.kind === 'permit' && [decision.grant.request.clientId, decision.grant.policyRevision];
    });
    const [a, b] = [
      ['a', first.policy.revision],
      ['b', second.policy.revision],
    ];
    expect(clientIds).toEqual([a, b, b, a]);
    expect([first.evaluated(), second.evaluated()]).toEqual([2, 1]);
  });

  it('of an earlier policy are removed for all data apps', () => {
    const [first, second] = [counted(load('{ clientId: a }')), counted(load('{ clientId: b }'))];
    const remember = createDecide();
    const clientIdOf = (policy: Policy, name?: string): unknown => {
      const decision = remember(policy, nobody, name, caseTime);
      return decision.kind === 'permit' && decision.grant.request.clientId;
    };
    expect([clientIdOf(first.policy), clientIdOf(first.policy, 's')]).toEqual(['a', 'a']);
    expect([clientIdOf(second.policy), clientIdOf(second.policy, 's')]).toEqual(['b', 'b']);
  });

  it('check the expiry of the access token each time', () => {
    const { policy, evaluated } = counted(load('{ clientId: a }', 'withinAccessToken: true,'));
    const remember = createDecide();
    const principal = principalOf({}, (caseTime + 10_000) / 1000);
    const lifetimes = [0, 1_500, 8_000, 8_001, 20_000].map((later) => {
      const decision = remember(policy, principal, undefined, caseTime + later);
      return decision.kind === 'permit' ? decision.grant.lifetimeMs : decision.denial.code;
    });
    expect(lifetimes).toEqual([10_000, 8_500, 2_000, 'TOKEN_EXPIRED', 'TOKEN_EXPIRED']);
    expect(evaluated()).toBe(1);
  });

  it('include no denials, whatever data app the caller names', () => {
    const { policy } = counted(load('{ clientId: "${claims.v}" }'));
    const remember = createDecide();
    const once = remember(policy, nobody, undefined, caseTime);
    expect(once.kind).toBe('deny');
    expect(remember(policy, nobody, undefined, caseTime)).not.toBe(once);
    expect(remember(policy, nobody, 'unknown', caseTime)).toEqual(decide(policy, nobody, 'unknown', caseTime));
  });
});
