// deploy/helm as Helm renders it, and the tools that check it: helm (from its Go module) and kubernetes-validate
// (PyPI).
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { needs } from '../vitest/needs.ts';

export const chartFolder = 'deploy/helm/guest-token-proxy';

/** Without this, helm assumes an old version of Kubernetes. */
const kubernetesVersion = '1.34.0';

const missing = (
  [
    ['helm', ['version']],
    ['kubernetes-validate', ['--help']],
  ] as const
).filter(([program, args]) => spawnSync(program, args).status !== 0);

/** For `describe.skipIf(!hasChartTools)`. */
export const hasChartTools = missing.length === 0;
/** Appended to the title of a test that is skipped without them. */
export const chartReason = needs(hasChartTools, ...missing.map(([program]) => program));

export interface Resource {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec: Readonly<Record<string, unknown>>;
}

interface Ran {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

export function helm(...args: readonly string[]): Ran {
  const { status, stdout, stderr } = spawnSync('helm', args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  // The chart carries the alert rules and the dashboard as links to their places in this repository.
  return { status, out: stdout, err: stderr.replace(/^walk\.go:\d+: found symbolic link .*\n/gm, '') };
}

/** What `helm install` would send for these values files, as text; throws with Helm's message. */
export function render(valueFiles: readonly string[], ...args: readonly string[]): string {
  const files = valueFiles.flatMap((file) => ['--values', file]);
  const { status, out, err } = helm(
    'template',
    'release',
    chartFolder,
    '--kube-version',
    kubernetesVersion,
    ...files,
    ...args,
  );
  if (status !== 0) throw new Error(err);
  return out;
}

export const resourcesIn = (text: string): readonly Resource[] =>
  parseAllDocuments(text).flatMap((document) => (document.contents === null ? [] : [document.toJS() as Resource]));

/** Validates every resource with Kubernetes' schemas. Returns errors, and unknown kinds. */
export function validate(text: string): {
  readonly problems: readonly string[];
  readonly unknownKinds: readonly string[];
} {
  const folder = mkdtempSync(join(tmpdir(), 'guest-token-chart-'));
  try {
    const file = join(folder, 'rendered.yaml');
    writeFileSync(file, text);
    const { stdout, stderr } = spawnSync('kubernetes-validate', ['--strict', file], { encoding: 'utf8' });
    const lines = `${stdout}${stderr}`.split('\n').filter((line) => line !== '');
    const unknown = /^WARN .*Couldn't find schema for kind (\w+) /;
    return {
      problems: lines.filter((line) => !line.startsWith('INFO ') && !unknown.test(line)),
      unknownKinds: lines.flatMap((line) => unknown.exec(line)?.[1] ?? []).sort(),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
