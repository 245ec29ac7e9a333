import { describe, expect, it } from 'vitest';
import { toJUnit } from '../../../../src/policy/trial/junit.ts';
import type { PolicyTestResult } from '../../../../src/policy/trial/policy-test-run.ts';

const result = (name: string, passed: boolean): PolicyTestResult => ({
  test: { name, position: 'a.policy-test.yaml:3:5', claims: {}, expectation: { kind: 'request', body: {} } },
  passed,
  outcome: { kind: 'request', body: { clientId: '<&>' } },
  differences: passed ? [] : [{ path: 'clientId', right: { value: '<&>' } }],
});

describe('JUnit XML', () => {
  it('contains every test, its position and its failures', () => {
    const xml = toJUnit([
      { name: 'a.policy-test.yaml', results: [result('one', true), result('two', false)], durationMs: 12 },
      { name: 'b.policy-test.yaml', results: [result('three', true)], durationMs: 3 },
    ]);
    expect(xml).toMatch(/^<\?xml version="1.0" encoding="UTF-8"\?>\n/);
    expect(xml).toContain(
      '<testsuites name="policy tests" tests="3" failures="1" errors="0" skipped="0" time="0.015">',
    );
    expect(xml).toContain(
      '<testsuite name="a.policy-test.yaml" tests="2" failures="1" errors="0" skipped="0" time="0.012">',
    );
    expect(xml).toContain('<testcase name="one" classname="a.policy-test.yaml" file="a.policy-test.yaml:3:5" />');
    expect(xml).toContain('<failure message="clientId">');
    expect(xml).toContain('&quot;&lt;&amp;&gt;&quot;');
    expect(xml.match(/<testcase /g)).toHaveLength(3);
    expect(xml.match(/<failure /g)).toHaveLength(1);
  });

  it('has a fixed layout', () => {
    const failed = { ...result('two', false), differences: [{ path: '', right: { value: 1 } }] };
    const xml = toJUnit([
      { name: 'a', results: [result('one', true), failed], durationMs: 12_000 },
      { name: 'b', results: [result('three', true)], durationMs: 500 },
    ]);
    expect(xml).toBe(`<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="policy tests" tests="3" failures="1" errors="0" skipped="0" time="12.500">
  <testsuite name="a" tests="2" failures="1" errors="0" skipped="0" time="12.000">
    <testcase name="one" classname="a" file="a.policy-test.yaml:3:5" />
    <testcase name="two" classname="a" file="a.policy-test.yaml:3:5">
      <failure message="(the whole body)">(the whole body)&#10;  - not expected&#10;  + 1</failure>
    </testcase>
  </testsuite>
  <testsuite name="b" tests="1" failures="0" errors="0" skipped="0" time="0.500">
    <testcase name="three" classname="b" file="a.policy-test.yaml:3:5" />
  </testsuite>
</testsuites>
`);
  });

  it('is well-formed, whatever a name contains', () => {
    const xml = toJUnit([
      { name: 'f', results: [result('a "b" <c> & \u0000\u001B[31m \uD800 \n ]]>', true)], durationMs: 0 },
    ]);
    expect(xml).toContain('name="a &quot;b&quot; &lt;c&gt; &amp; \uFFFD\uFFFD[31m \uFFFD &#10; ]]&gt;"');
    expect(xml).not.toMatch(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/);
  });
});
