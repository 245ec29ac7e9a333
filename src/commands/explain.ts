// explain: for given claims the exact body that would be sent and where each field comes from, or why it is refused.
import { explain } from '../policy/trial/explain.ts';
import { explanationLines } from '../policy/trial/explain-text.ts';
import { ConfigurationError } from '../problem.ts';
import { readClaims } from './claims-argument.ts';
import { exitCode, type Command } from './command.ts';
import { parseWords } from './parse-args.ts';
import { loadTrialPolicy } from './trial-policy.ts';

/** The claims set of a compact JWS (RFC 7515 §3.1), unverified, or a sentence without anything of the token. */
export function claimsOfToken(token: string): Readonly<Record<string, unknown>> | string {
  const segments = token
    .trim()
    .replace(/^Bearer +/i, '')
    .split('.');
  const payload = segments[1];
  if (segments.length !== 3 || payload === undefined) return 'the token is not a JWT';
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(payload, 'base64url'));
    const claims: unknown = JSON.parse(text);
    if (typeof claims === 'object' && claims !== null && !Array.isArray(claims))
      return claims as Record<string, unknown>;
  } catch {
    // The sentence below says it; the parser's own would repeat a part of the token.
  }
  return 'the token is not a JWT';
}

export const explainCommand: Command = {
  name: 'explain',
  summary: 'shows what the policy makes of given claims, and why',
  help: `Usage: guest-token-proxy explain --claims <file, JSON or -> [--data-app <name>] [--policy <file>] [--json]
       guest-token-proxy explain --token <JWT> [--data-app <name>] [--policy <file>] [--json]

Shows the exact body that would be sent to Databrain and, for every field, the expression, the claims it read and the
value; or the rule that refuses, its position and the claim. Needs the policy only: no keys, no secrets. Mints nothing.

  --claims    a JSON object, the name of a file that holds one, or - for standard input
  --token     a JWT whose claims to take; it is NOT verified
  --data-app  the data app that the browser would name (default: the policy's default)
  --policy    the policy file (default: the setting POLICY_FILE)
  --json      for machines

Settings: POLICY_FILE, TOKEN_MAX_LIFETIME_SECONDS. Exit code 0 for a permit and for a refusal: both are explained.
`,
  run: async (context) => {
    const words = parseWords(explainCommand, context, {
      claims: { type: 'string' },
      token: { type: 'string' },
      'data-app': { type: 'string' },
      policy: { type: 'string' },
      json: { type: 'boolean', default: false },
    });
    if ('exit' in words) return words.exit;
    const usage = (what: string): number => {
      context.err(`explain: ${what}. Try --help.\n`);
      return exitCode.usage;
    };
    const { claims: claimsArgument, token, 'data-app': dataApp, policy: policyFile, json } = words.values;
    if (claimsArgument !== undefined && token !== undefined) return usage('give either --claims or --token');
    if (claimsArgument === undefined && token === undefined) return usage('--claims is missing');
    const claims = token === undefined ? await readClaims(claimsArgument ?? '', context) : claimsOfToken(token);
    if (typeof claims === 'string') return usage(claims);

    try {
      const policy = loadTrialPolicy(context, policyFile);
      const nowMs = context.clock.now();
      const explanation = explain(policy, claims, dataApp, nowMs);
      if (json) {
        context.out(`${JSON.stringify(explanation, null, 2)}\n`);
        return exitCode.ok;
      }
      context.out(`${explanationLines(explanation).join('\n')}\n`);
      const { exp } = claims as { readonly exp?: unknown };
      if (typeof exp === 'number' && exp * 1_000 <= nowMs) {
        context.err('Note: exp has passed. The service would answer TOKEN_EXPIRED before it asks the policy.\n');
      }
      return exitCode.ok;
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      context.err(`${error.message}\n`);
      return exitCode.configuration;
    }
  },
};
