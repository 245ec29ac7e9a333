// Before the first e2e test of a run: bundles the program, and again for every further run while vitest watches.
import type { TestProject } from 'vitest/node';
import { createProgramBuild } from './program.ts';

export default async function buildForAllTests(project: TestProject): Promise<() => void> {
  let build = createProgramBuild();
  project.provide('programPath', await build.path());
  project.onTestsRerun(async () => {
    build.remove();
    build = createProgramBuild();
    project.provide('programPath', await build.path());
  });
  return () => build.remove();
}
