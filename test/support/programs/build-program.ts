// Bundles the program: for all e2e tests of a run, and for benchmarks. Apart from program.ts, because the build loads
// half of the sources, and most test files only start what was built.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { buildProgram } from '../../../build.ts';
import { compiledOf } from './program.ts';

/** A build of the program under a unique name, so that parallel runs do not conflict. */
export function createProgramBuild(): { readonly path: () => Promise<string>; readonly remove: () => void } {
  const outfile = `dist/test-${process.pid}-${Math.random().toString(36).slice(2)}.js`;
  let built: Promise<unknown> | undefined;
  return {
    path: async () => {
      await (built ??= buildProgram(outfile).then(() => mkdirSync(compiledOf(outfile), { recursive: true })));
      return join(process.cwd(), outfile);
    },
    remove: () => {
      for (const path of [outfile, outfile.slice(0, -'.js'.length)]) rmSync(path, { recursive: true, force: true });
    },
  };
}

/** Before the first e2e test of a run, and again for every further run while vitest watches. */
export default async function buildForAllTests(project: TestProject): Promise<() => void> {
  let build: ReturnType<typeof createProgramBuild> | undefined;
  async function buildIfNeeded(): Promise<void> {
    build?.remove();
    build = undefined;
    if (!project.vitest.state.getPaths().some((path) => path.includes('/test/e2e/'))) return;
    build = createProgramBuild();
    project.provide('programPath', await build.path());
  }
  await buildIfNeeded();
  project.onTestsRerun(buildIfNeeded);
  return () => build?.remove();
}
