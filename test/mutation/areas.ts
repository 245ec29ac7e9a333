// What is mutated, and which tests are the likeliest to notice: those that cost little come first.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

export interface Area {
  /** Source folders and files. */
  readonly sources: readonly string[];
  /** By the source file's name: the tests that are the likeliest to notice, run first. Others are found by name. */
  readonly likely: Readonly<Record<string, string>>;
  /** A mutant whose tests take longer than this, because it loops for ever, counts as noticed. */
  readonly timeLimitMs: number;
  /** Test runs, cheapest first; the first that fails kills the mutant. */
  readonly tests: readonly (readonly string[])[];
  /** A long run that only these sources need. */
  readonly last?: { readonly sources: RegExp; readonly tests: readonly string[] };
}

export const areas: Readonly<Record<string, Area>> = {
  authn: {
    sources: [
      'src/authn',
      'src/deep-freeze.ts',
      'src/strict-json.ts',
      'src/visible-text.ts',
      'src/http/jwt.ts',
      'src/http/credentials.ts',
    ],
    likely: {
      'algorithms.ts': 'test/e2e/authn-algorithms',
      'authenticate.ts': 'test/e2e/authn-remembered',
      'issuer-keys.ts': 'test/e2e/authn-remembered',
      'jose-header.ts': 'test/e2e/authn-hostile',
      'jwk-set.ts': 'test/unit/authn/public-keys',
      'jwt.ts': 'test/e2e/authn-remembered',
      'key-ring.ts': 'test/e2e/authn-remembered',
      'key-set-fetch.ts': 'test/e2e/authn-key-sets',
      'key-set-source.ts': 'test/e2e/authn-key-sets',
      'public-key.ts': 'test/unit/authn/public-keys',
      'remembered-tokens.ts': 'test/e2e/authn-remembered',
      'trusted-url.ts': 'test/unit/authn/issuer.test',
      'yaml-list.ts': 'test/unit/authn/issuers-file',
    },
    tests: [
      ['test/unit/authn'],
      [
        'test/e2e/authn-hostile',
        'test/e2e/authn-remembered',
        'test/e2e/authn-algorithms',
        'test/e2e/authn-security',
        'test/e2e/authn-rfc8725',
      ],
    ],
    timeLimitMs: 90_000,
    last: { sources: /key-set|issuer-keys|candidate-keys|authenticate/, tests: ['test/e2e/authn-key-sets'] },
  },
  policy: {
    sources: ['src/policy'],
    likely: {
      ...Object.fromEntries(
        ['filter-schema.ts', 'scalar-schema.ts'].map((name) => [name, 'test/unit/policy/policy-schema']),
      ),
      ...Object.fromEntries(
        [
          'cel-conversions.ts',
          'cel-functions.ts',
          'cel-operators.ts',
          'compile-access.ts',
          'compile-logic.ts',
          'compile-macro.ts',
          'evaluation.ts',
          'read-expression.ts',
        ].map((name) => [name, 'test/unit/policy/cel-semantics']),
      ),
      'cel-subset.ts': 'test/unit/policy/read-expression',
      'coverage.ts': 'test/unit/policy/policy-test-run',
      'policy-compiler.ts': 'test/unit/policy/load-policy',
      'pattern-syntax.ts': 'test/unit/policy/anchored-pattern',
      'policy-test-reader.ts': 'test/unit/policy/policy-test-document',
      'policy-test-report.ts': 'test/unit/policy/policy-test-run',
    },
    timeLimitMs: 30_000,
    tests: [
      ['test/policy/'],
      ['decide.test', 'explain', 'load-policy', 'policy-test', 'shadow', 'trace'].map(
        (name) => `test/unit/policy/${name}`,
      ),
      ['test/unit/policy/'],
    ],
  },
};

/** The paths of an area's sources, in order. */
export async function sourcesOf({ sources }: Area): Promise<readonly string[]> {
  const files: string[] = [];
  for (const source of sources) {
    if (source.endsWith('.ts')) files.push(source);
    else for (const name of await readdir(source)) if (name.endsWith('.ts')) files.push(join(source, name));
  }
  return files.sort();
}
