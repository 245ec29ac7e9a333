// Formats policy test results as JUnit XML for CI systems (the de-facto schema of the Ant JUnit task).
import { failureLines } from './policy-test-report.ts';
import type { PolicyTestResult } from './policy-test-run.ts';

export interface JUnitSuite {
  /** The test file. */
  readonly name: string;
  readonly results: readonly PolicyTestResult[];
  readonly durationMs: number;
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

/** Escapes text for content and attributes. Characters that XML 1.0 §2.2 forbids become U+FFFD. */
function xml(text: string): string {
  return text
    .replace(/[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, '\uFFFD')
    .replace(/[&<>"']/g, (character) => entities[character] ?? '')
    .replace(/[\t\n\r]/g, (character) => `&#${character.charCodeAt(0)};`);
}

const seconds = (milliseconds: number): string => (milliseconds / 1_000).toFixed(3);

function testCase(suite: JUnitSuite, result: PolicyTestResult): string {
  const attributes = `name="${xml(result.test.name)}" classname="${xml(suite.name)}" file="${xml(result.test.position)}"`;
  if (result.passed) return `    <testcase ${attributes} />`;
  const lines = failureLines(result);
  return `    <testcase ${attributes}>
      <failure message="${xml(lines[0] ?? 'failed')}">${xml(lines.join('\n'))}</failure>
    </testcase>`;
}

/** The whole document, in UTF-8. */
export function toJUnit(suites: readonly JUnitSuite[]): string {
  const count = (results: readonly PolicyTestResult[]): string =>
    `tests="${results.length}" failures="${results.filter(({ passed }) => !passed).length}" errors="0" skipped="0"`;
  const elements = suites.map(
    (suite) => `  <testsuite name="${xml(suite.name)}" ${count(suite.results)} time="${seconds(suite.durationMs)}">
${suite.results.map((result) => testCase(suite, result)).join('\n')}
  </testsuite>`,
  );
  const time = seconds(suites.reduce((sum, { durationMs }) => sum + durationMs, 0));
  return `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="policy tests" ${count(suites.flatMap(({ results }) => results))} time="${time}">
${elements.join('\n')}
</testsuites>
`;
}
