// The quick start of every identity provider: its settings accept the token of its policy tests, and the most common
// mistake is refused for the reason on the page.
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { explainCommand } from '../../src/commands/explain.ts';
import { claimsPresets } from '../../src/policy/trial/claims-presets.ts';
import { loadPolicyTests } from '../../src/policy/trial/policy-test-document.ts';
import { reasons } from '../../src/refusal-reasons.ts';
import { runCommand } from '../support/programs/run-command.ts';
import { signToken } from '../support/sign-token.ts';

const docs = new URL('../../docs/', import.meta.url);
const readPage = (path: string): string => readFileSync(new URL(path, docs), 'utf8');
const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const legacySecret = 'the legacy secret of a project, which is no longer used';

type Claims = Readonly<Record<string, unknown>>;

const now = Math.floor(Date.now() / 1000);
/** The claims with present times, because @fastify/jwt uses the system clock. */
const current = (claims: Claims): Claims => ({ ...without(claims, 'nbf'), iat: now, exp: now + 600 });
const sign = (claims: Claims): string => signToken('ES256', keys.privateKey, current(claims));
const without = (claims: Claims, ...names: readonly string[]): Claims =>
  Object.fromEntries(Object.entries(claims).filter(([name]) => !names.includes(name)));

/** The most common mistake on the page, made with the token of the policy tests. */
const mistakes: Readonly<Record<string, (claims: Claims) => string>> = {
  auth0: () => 'eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwiaXNzIjoiaHR0cHM6Ly9leGFtcGxlLmV1LmF1dGgwLmNvbS8ifQ..opaque',
  keycloak: (claims) => sign({ ...claims, aud: 'account' }),
  entra: (claims) =>
    sign({ ...claims, iss: `https://sts.windows.net/${String(claims['tid'])}/`, ver: '1.0', aud: 'api://reports' }),
  cognito: (claims) =>
    sign({ ...without(claims, 'aud', 'custom:tenant_id'), token_use: 'access', client_id: claims['aud'] }),
  supabase: (claims) => signToken('HS256', legacySecret, current(claims)),
  firebase: (claims) => sign(without(claims, 'org_id', 'org_role')),
  okta: (claims) => sign({ ...claims, iss: 'https://example.okta.com', aud: 'https://example.okta.com' }),
  clerk: (claims) => sign({ ...without(claims, 'aud', 'org_id', 'org_role'), v: 2, o: { id: claims['org_id'] } }),
};

const rows = [
  ...readPage('quick-start.md').matchAll(/^\| \[[^\]]+\]\(examples\/([a-z0-9]+)\/\) .* \| `([a-z_]+)` \|$/gm),
];

it('has a row for each of the eight providers', () => {
  expect(rows.map(([, name]) => name).sort()).toEqual(Object.keys(mistakes).sort());
});

describe.each(rows.map(([, name = '', reason = '']) => [name, reason] as const))(
  'the quick start with %s',
  (name, reason) => {
    const page = readPage(`examples/${name}/README.md`);
    const test = `examples/${name}/${name}.policy-test.yaml`;
    const { tests } = loadPolicyTests({ text: readPage(test), file: test });
    const claims = tests.find(({ expectation }) => expectation.kind === 'request')?.claims ?? {};

    /** The settings of the page, with a key of this test in place of the provider's. */
    function settingsOfPage(): Readonly<Record<string, string>> {
      const [, block = ''] = /^## Settings\n\n```sh\n(.*?)^```$/ms.exec(page) ?? [];
      const lines = [...block.matchAll(/^([A-Z_]+)=(\S+)/gm)].map(
        ([, variable = '', value = '']) => [variable, value] as const,
      );
      return {
        ...Object.fromEntries(lines.filter(([variable]) => variable !== 'JWT_JWKS_URL')),
        JWT_PUBLIC_KEY: keys.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
        DATABRAIN_API_KEY: 'key-of-the-quick-start',
        POLICY_FILE: 'policy.yaml',
      };
    }

    async function verify(token: string) {
      const cwd = new URL(`examples/${name}/`, docs).pathname;
      const args = ['--token', '-', '--verify', '--json'];
      const { out, err } = await runCommand(explainCommand, args, {
        cwd,
        env: settingsOfPage(),
        stdin: token,
        nowMs: Date.now(),
      });
      expect(err).toBe('');
      return JSON.parse(out) as {
        verified: boolean;
        decision?: string;
        denial?: { reason: string };
        refusal?: { reason: string };
      };
    }

    it('names the settings, the place in the console, the claims and the most common mistake', () => {
      const headings = [...page.matchAll(/^## (.+)$/gm)].map(([, heading = '']) =>
        heading.replace(/^In the .*/, 'In the …'),
      );
      expect(headings).toEqual(['Settings', 'In the …', 'Claims', 'The first mistake']);
      expect(page.split('## The first mistake')[1]).toContain(`\`${reason}\``);
      expect(reasons).toContain(reason);
    });

    it('has a policy that permits the preset of the playground and of diff', async () => {
      const preset = claimsPresets.find((one) => one.name === name)?.claims ?? {};
      expect(await verify(sign(preset))).toMatchObject({ verified: true, decision: 'permit' });
    });

    it('has settings that accept the token of its policy tests, and a policy that permits it', async () => {
      expect(await verify(sign(claims))).toMatchObject({ verified: true, decision: 'permit' });
    });

    it(`has the reason ${reason} for its most common mistake`, async () => {
      const { refusal, denial } = await verify(mistakes[name]?.(claims) ?? '');
      expect(refusal?.reason ?? denial?.reason).toBe(reason);
    });
  },
);
