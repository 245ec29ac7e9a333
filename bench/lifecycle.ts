// npm exec -- node bench/lifecycle.ts [scenario…]: measures the cost of restarts, crashes, a lost Redis, reloads and
// rotations, with two replicas behind HAProxy or nginx at 200 requests a second. Prints the table of
// docs/operating/lifecycle.md. Takes about five minutes.
import { createProgramBuild } from '../test/support/programs/build-program.ts';
import { runScenario, scenarios, type ScenarioName } from './lifecycle/scenarios.ts';

const requestsPerSecond = 200;
const isScenario = (name: string): name is ScenarioName => Object.hasOwn(scenarios, name);

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !isScenario(name));
if (unknown.length > 0) throw new Error(`no such scenario: ${unknown.join(', ')}`);
const names = wanted.length === 0 ? Object.keys(scenarios) : wanted;

const build = createProgramBuild();
try {
  const program = await build.path();
  console.log('| what happens | requests | failed | p50 | p99 | slowest | tokens made twice |');
  console.log('| --- | --- | --- | --- | --- | --- | --- |');
  for (const name of names.filter(isScenario)) {
    const { load, extraTokens } = await runScenario(name, {
      program,
      requestsPerSecond,
      settleMs: 5_000,
      drainSeconds: 5,
    });
    const at = (share: number): string =>
      `${Math.round(load.latenciesMs[Math.min(load.sent - 1, Math.floor(load.sent * share))] ?? 0)} ms`;
    const failed = [...load.failures].map(([why, times]) => `${times} × ${why}`).join(', ') || 'none';
    const cells = [scenarios[name].title, load.sent, failed, at(0.5), at(0.99), at(1), extraTokens];
    console.log(`| ${cells.join(' | ')} |`);
  }
} finally {
  build.remove();
}
