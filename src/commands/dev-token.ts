// dev-token: signs a JWT with the configured HMAC secret, for development. Refused without such a secret: a proxy that
// trusts a real identity provider has no key to sign with.
import { createSigner } from 'fast-jwt';
import { algorithms, isHmac, type Algorithm } from '../authn/keys/algorithms.ts';
import { loadHmacSecrets, secretEncodings, type SecretEncoding } from '../authn/keys/hmac-secret.ts';
import { createSettingReader, type SettingReader } from '../config/setting-reader.ts';
import { LoadProblem, toLine, type Problem } from '../problem.ts';
import { type Command, exitCode, parseWords } from './command.ts';
import { readClaims } from './claims-argument.ts';
import { readFileFor, storedSecretsFor } from './command-configuration.ts';

const defaultLifetimeSeconds = 3_600;
const maxLifetimeSeconds = 86_400;

/** The first key of the secret, with the same checks as in the service. */
function signingKey(
  text: string,
  algorithm: Algorithm,
  encoding: SecretEncoding,
  reader: SettingReader,
): Buffer | undefined {
  try {
    return loadHmacSecrets(text, [algorithm], encoding)[0]?.material.export();
  } catch (error) {
    if (!(error instanceof LoadProblem)) throw error;
    return reader.report('JWT_SECRET', error.message, 'Set a valid secret; see the output of `check`');
  }
}

export const devTokenCommand: Command = {
  name: 'dev-token',
  help: `Usage: guest-token-proxy dev-token --claims <file, JSON or -> [--expires-in <seconds>]

Prints a JWT with the given claims, signed with the first key of JWT_SECRET (or JWT_SECRET_FILE).
iss and aud come from JWT_ISSUER and JWT_AUDIENCE, iat and exp from the clock, unless the claims have them.

  --claims      a JSON object, the name of a file with one, or - for standard input
  --expires-in  lifetime in seconds, 1 to ${maxLifetimeSeconds} (default ${defaultLifetimeSeconds})
`,
  run: async (context) => {
    const words = parseWords(devTokenCommand, context, {
      claims: { type: 'string' },
      'expires-in': { type: 'string', default: String(defaultLifetimeSeconds) },
    });
    if ('exit' in words) return words.exit;
    const usage = (problem: string): number => {
      context.err(`dev-token: ${problem}. Try --help.\n`);
      return exitCode.usage;
    };
    const lifetime = Number(words.values['expires-in']);
    if (!Number.isInteger(lifetime) || lifetime < 1 || lifetime > maxLifetimeSeconds) {
      return usage(`--expires-in is not a whole number from 1 to ${maxLifetimeSeconds}`);
    }
    if (words.values.claims === undefined) return usage('--claims is missing');
    const claims = await readClaims(words.values.claims, context);
    if (typeof claims === 'string') return usage(claims);

    const stored = await storedSecretsFor(context, ['JWT_SECRET']);
    await stored.close();
    const problems: Problem[] = [...stored.problems];
    const reader = createSettingReader(context.env, readFileFor(context), problems, stored);
    const secret = reader.secret('JWT_SECRET');
    const iss = reader.text('JWT_ISSUER');
    const aud = reader.list('JWT_AUDIENCE')?.[0];
    const wanted = reader.list('JWT_ALGORITHMS')?.[0] ?? 'HS256';
    const algorithm = algorithms.filter(isHmac).find((name) => name === wanted);
    if (secret === undefined && problems.length === 0) {
      reader.report('JWT_SECRET', 'is not set', 'Set JWT_SECRET or JWT_SECRET_FILE; dev-token signs with no other key');
    }
    if (algorithm === undefined) {
      reader.report(
        'JWT_ALGORITHMS',
        'starts with an algorithm for public keys',
        'dev-token signs with HS256, HS384 or HS512 only',
      );
    }
    const encoding = reader.oneOf('JWT_SECRET_ENCODING', secretEncodings) ?? 'text';
    const key = secret && algorithm && signingKey(secret.value.reveal(), algorithm, encoding, reader);
    if (key === undefined || algorithm === undefined || problems.length > 0) {
      context.err(`${problems.map(toLine).join('\n')}\n`);
      return stored.isTemporary ? exitCode.checkFailed : exitCode.configuration;
    }
    const iat = Math.floor(context.clock.now() / 1000);
    const sign = createSigner({ key, algorithm });
    context.out(`${sign({ iss, aud, iat, exp: iat + lifetime, ...claims })}\n`);
    return exitCode.ok;
  },
};
