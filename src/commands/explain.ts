// explain: shows the exact body for given claims and the source of each field, or why the request is refused.
import { isJsonObject, type JsonObject } from '../strict-json.ts';
import { explainDecision } from '../policy/trial/explain-decision.ts';
import { explanationLines } from '../policy/trial/explanation-lines.ts';
import { ConfigurationError } from '../problem.ts';
import { examineToken, type TokenExamination } from '../authn/examine.ts';
import { isRefusal } from '../authn/token-refusal.ts';
import { loadConfiguration } from '../config/load-configuration.ts';
import { printable } from '../printable.ts';
import { toLine } from '../problem.ts';
import { readClaims, readToken } from './claims-argument.ts';
import { type Command, type CommandContext, exitCode, parseWords } from './command.ts';
import { examineOptions, keySetProblem } from './live-issuers.ts';
import { exitCodeOf, readFileFor, storedSecretsFor } from './command-configuration.ts';
import { loadTrialPolicy } from './trial-policy.ts';

/** The unverified claims set of a compact JWS (RFC 7515 §3.1), or a message that does not quote the token. */
export function claimsOfToken(token: string): JsonObject | string {
  const segments = token
    .trim()
    .replace(/^Bearer +/i, '')
    .split('.');
  const payload = segments[1];
  if (segments.length !== 3 || payload === undefined) return 'the token is not a JWT';
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(payload, 'base64url'));
    const claims: unknown = JSON.parse(text);
    if (isJsonObject(claims)) return claims;
  } catch {
    // The message below replaces the parser's, which would repeat a part of the token.
  }
  return 'the token is not a JWT';
}

const maxShown = 10;

/** Formats seconds since 1970 (RFC 7519 §2, NumericDate); unchanged if they are not a time. */
const timeText = (seconds: unknown): string => {
  const date = new Date(typeof seconds === 'number' ? seconds * 1_000 : Number.NaN);
  return Number.isNaN(date.getTime()) ? printable(seconds) : date.toISOString();
};

const timeReasons: ReadonlySet<string> = new Set([
  'token_expired',
  'token_not_yet_valid',
  'token_issued_in_future',
  'token_lifetime_too_long',
]);

/** The times of a token that was refused because of them, and the time of the clock. */
function timeLines(token: string, nowMs: number): readonly string[] {
  const claims = claimsOfToken(token);
  if (typeof claims === 'string') return [];
  const times = ['iat', 'nbf', 'exp'].filter((name) => claims[name] !== undefined);
  const shown = times.map((name) => `${name} ${timeText(claims[name])}`).join(', ');
  return [`The token has: ${shown}`, `The clock here says: ${new Date(nowMs).toISOString()}`];
}

/** The result of a token's examination as text: only public values, shortened and printable. */
function examinationLines(
  { keySets, result, advice }: TokenExamination,
  token: string,
  nowMs: number,
): readonly string[] {
  const failed = keySets.flatMap((report) => (report.kind === 'failed' ? [toLine(keySetProblem(report))] : []));
  if (!isRefusal(result))
    return [...failed, `Verified: the token of ${printable(result.sub)} from ${result.iss} passes every check.`];
  const { code, reason, claim, received, expected } = result;
  const lines = [`Refused: ${code} (${reason})`];
  if (claim !== undefined) lines.push(`Claim: ${claim}`);
  if (received !== undefined) lines.push(`The token has: ${printable(received)}`);
  if (timeReasons.has(reason)) lines.push(...timeLines(token, nowMs));
  if (expected !== undefined && expected.length > 0) {
    lines.push(
      `Accepted: ${expected.slice(0, maxShown).map(printable).join(', ')}${expected.length > maxShown ? ', …' : ''}`,
    );
  }
  if (advice !== undefined) lines.push(`Cause: ${advice.cause}`, `Fix: ${advice.fix}`);
  if (advice?.hint !== undefined) lines.push(`Hint: ${advice.hint}`);
  return [...failed, ...lines];
}

/** Prints the result of the real checks. Returns an exit code if there is nothing more to explain. */
async function verifyFirst(
  token: string,
  context: CommandContext,
  { json, policyFile }: { readonly json: boolean; readonly policyFile: string | undefined },
): Promise<number | undefined> {
  const stored = await storedSecretsFor(context);
  try {
    const { settings } = loadConfiguration(context.env, readFileFor(context), stored, policyFile);
    const examination = await examineToken(examineOptions(settings, context.clock), token);
    const isRefused = isRefusal(examination.result);
    const lines = examinationLines(examination, token, context.clock.now());
    if (json && isRefused) {
      const { code, reason, claim } = examination.result;
      const { advice } = examination;
      context.out(`${JSON.stringify({ verified: false, refusal: { code, reason, claim, ...advice } }, null, 2)}\n`);
    } else if (!json) context.out(`${lines.join('\n')}\n${isRefused ? '' : '\n'}`);
    return isRefused ? exitCode.checkFailed : undefined;
  } catch (error) {
    return exitCodeOf(error, context);
  } finally {
    await stored.close();
  }
}

export const explainCommand: Command = {
  name: 'explain',
  help: `Usage: guest-token-proxy explain --claims <file, JSON or -> [--data-app <name>] [--policy <file>] [--json]
       guest-token-proxy explain --token <file or -> [--verify] [--data-app <name>] [--policy <file>] [--json]

Shows the exact body that would be sent to Databrain and, for every field, the expression, the claims it read and the
value; or the rule that refuses, its position and the claim. Needs only the policy, no keys or secrets. Mints nothing.

  --claims    a JSON object, the name of a file with one, or - for standard input
  --token     the name of a file with a JWT, or - for standard input; without --verify it is NOT verified
  --verify    first runs the service's checks of the token, with all settings and the issuers' keys, and shows what
              differs and what to do about it; exit code 1 if the token is refused
  --data-app  the data app that the browser would name (default: the policy's default)
  --policy    the policy file (default: the setting POLICY_FILE)
  --json      for machines

Settings: POLICY_FILE, TOKEN_MAX_LIFETIME_SECONDS; with --verify those of serve.
Exit code 0 if the policy permits or refuses.
`,
  run: async (context) => {
    const words = parseWords(explainCommand, context, {
      claims: { type: 'string' },
      token: { type: 'string' },
      verify: { type: 'boolean', default: false },
      'data-app': { type: 'string' },
      policy: { type: 'string' },
      json: { type: 'boolean', default: false },
    });
    if ('exit' in words) return words.exit;
    const usage = (problem: string): number => {
      context.err(`explain: ${problem}. Try --help.\n`);
      return exitCode.usage;
    };
    const {
      claims: claimsArgument,
      token: tokenArgument,
      'data-app': dataApp,
      json,
      verify,
      policy: policyFile,
    } = words.values;
    if (claimsArgument !== undefined && tokenArgument !== undefined) return usage('give either --claims or --token');
    if (claimsArgument === undefined && tokenArgument === undefined) return usage('--claims is missing');
    if (verify && tokenArgument === undefined) return usage('--verify needs --token');
    const token = tokenArgument === undefined ? undefined : await readToken(tokenArgument, context);
    if (tokenArgument !== undefined && token === undefined) return usage('the file for --token cannot be read');
    if (verify && token !== undefined) {
      const exit = await verifyFirst(token, context, { json, policyFile });
      if (exit !== undefined) return exit;
    }
    const claims = token === undefined ? await readClaims(claimsArgument ?? '', context) : claimsOfToken(token);
    if (typeof claims === 'string') return usage(claims);

    try {
      const policy = loadTrialPolicy(context, policyFile);
      const nowMs = context.clock.now();
      const explanation = explainDecision(policy, claims, dataApp, nowMs);
      if (json) {
        const verified = token === undefined ? undefined : verify;
        context.out(`${JSON.stringify({ verified, ...explanation }, null, 2)}\n`);
        return exitCode.ok;
      }
      if (token !== undefined && !verify) {
        context.out(
          'NOT VERIFIED: signature, issuer, audience and times of this token were not checked. Add --verify.\n\n',
        );
      }
      context.out(`${explanationLines(explanation).join('\n')}\n`);
      const { exp } = claims as { readonly exp?: unknown };
      if (typeof exp === 'number' && exp * 1_000 <= nowMs) {
        context.err('Note: exp has passed. The service would respond with TOKEN_EXPIRED before the policy decides.\n');
      }
      return exitCode.ok;
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      context.err(`${error.message}\n`);
      return exitCode.configuration;
    }
  },
};
