// Runs the policies and the table of expressions of docs/policy.md, and the policies of other pages.
import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { explainDecision } from '../../src/policy/trial/explain-decision.ts';
import { loadPolicy } from '../../src/policy/compile/load-policy.ts';
import { policySchema } from '../../src/policy/document/policy-schema.ts';
import { loadPolicyTests } from '../../src/policy/trial/policy-test-document.ts';
import { resultLines } from '../../src/policy/trial/policy-test-report.ts';
import { runPolicyTests } from '../../src/policy/trial/policy-test-run.ts';
import { policyReasons } from '../../src/refusal-reasons.ts';

const readPage = (name: string): string => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');
const guide = readPage('policy.md');
const maxLifetimeSeconds = 86_400;

interface Snippet {
  readonly line: number;
  readonly policy: string;
  readonly tests: string;
}

/** Each fenced `yaml policy` with the `yaml policy-test` that follows it. */
function snippets(page: string): readonly Snippet[] {
  const fences = [...page.matchAll(/^```yaml (policy|policy-test)\n([\s\S]*?)^```$/gm)];
  return fences.flatMap((fence, index) => {
    if (fence[1] !== 'policy') return [];
    const next = fences[index + 1];
    const line = page.slice(0, fence.index).split('\n').length;
    return [{ line, policy: fence[2] ?? '', tests: next?.[1] === 'policy-test' ? (next[2] ?? '') : '' }];
  });
}

interface Row {
  readonly expression: string;
  readonly claims: string;
  readonly gives: string;
}

/** The rows of the table of expressions: `| code | code | code |`, where `\|` is a pipe. */
function rows(): readonly Row[] {
  return [...guide.matchAll(/^\| `((?:[^`|]|\\\|)+)` \| `([^`]+)` \| `([^`]+)` \|$/gm)].map((match) => {
    const [expression = '', claims = '', gives = ''] = match.slice(1).map((cell) => cell.replaceAll('\\|', '|'));
    return { expression, claims, gives };
  });
}

const pages = readdirSync(new URL('../../docs/', import.meta.url), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.md') && snippets(readPage(name)).length > 0)
  .sort();

it('the list of pages with policies is complete', () => {
  expect(pages).toEqual(expect.arrayContaining(['blocking-a-user.md', 'cookbook.md', 'migrating.md', 'policy.md']));
  expect(snippets(readPage('cookbook.md')).length).toBeGreaterThanOrEqual(10);
});

describe.each(pages)('the policies of %s', (name) => {
  const found = snippets(readPage(name));

  it('all have tests', () => {
    expect(found.filter(({ tests }) => tests === '')).toEqual([]);
  });

  it.each(found.map((snippet) => [snippet.line, snippet] as const))(
    'line %i loads without a warning and has the result on the page',
    (line, snippet) => {
      const policy = loadPolicy({ text: snippet.policy, file: `${name}+${line}`, maxLifetimeSeconds });
      expect(policy.lint).toEqual([]);
      const { tests } = loadPolicyTests({ text: snippet.tests, file: name });
      const { results } = runPolicyTests(policy, tests);
      expect(results.filter(({ passed }) => !passed).flatMap(resultLines)).toEqual([]);
    },
  );
});

describe('the table of expressions in the guide', () => {
  it('has rows', () => expect(rows().length).toBeGreaterThanOrEqual(30));

  it.each(rows().map((row) => [row.expression, row] as const))('%s has the result in the guide', (_title, row) => {
    const text = JSON.stringify({
      version: 1,
      variables: { it: row.expression },
      dataApps: {
        any: {
          default: true,
          // Evaluates the variable, whatever its type.
          validations: [{ expression: 'size([variables.it]) == 1', message: 'never' }],
          expiresIn: '1h',
          request: { clientId: 'acme', params: { allowedEmbeds: ['any'] } },
        },
      },
    });
    const policy = loadPolicy({ text, file: 'policy.md', maxLifetimeSeconds });
    const claims = JSON.parse(row.claims) as Record<string, unknown>;
    const { decision, rules } = explainDecision(policy, claims, undefined, 0);
    expect(decision).toBe('permit');
    const variable = rules.find(({ path }) => path === 'variables.it');
    expect(variable).toMatchObject({ value: JSON.parse(row.gives) as unknown });
  });
});

describe('the guide', () => {
  it('names every reason for which a policy refuses', () => {
    expect(Object.keys(policyReasons).filter((reason) => !guide.includes(`\`${reason}\``))).toEqual([]);
  });

  it('names every key of a data app', () => {
    const { properties } = policySchema.properties.dataApps.additionalProperties;
    expect(Object.keys(properties).filter((word) => !guide.includes(`\`${word}\``))).toEqual([]);
  });
});
