// The requirements of a release: workflows that the linters accept, with pinned actions, and the same version
// everywhere, with notes in the changelog.
import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { releaseNotes } from '../../.ci/release-notes.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { readDocument } from './settings-documents.ts';
import { needs } from '../support/vitest/needs.ts';

interface Job {
  readonly permissions?: Readonly<Record<string, string>>;
  readonly uses?: string;
  readonly steps?: readonly {
    readonly uses?: string;
    readonly run?: string;
    readonly with?: Readonly<Record<string, unknown>>;
  }[];
}

const workflowFolder = '.github/workflows';
const workflows = readdirSync(workflowFolder).map((name) => {
  const text = readFileSync(join(workflowFolder, name), 'utf8');
  return [name, text, parse(text) as { permissions: unknown; jobs: Readonly<Record<string, Job>> }] as const;
});

const tools = [
  ['actionlint', ['-shellcheck=', '-pyflakes=']],
  ['zizmor', ['--offline', '--persona=pedantic', '--no-progress', workflowFolder]],
] as const;
const installed = new Set(tools.map(([tool]) => tool).filter((tool) => spawnSync(tool, ['--version']).status === 0));

describe('the workflows', () => {
  it.each(workflows)('%s pins every action to a commit, and names its version', (_name, text) => {
    const uses = [...text.matchAll(/^\s*(?:- )?uses: (.*)$/gm)].map(([, used = '']) => used);
    for (const used of uses.filter((one) => !one.startsWith('./')))
      expect(used).toMatch(/^[\w.-]+\/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
    expect(uses.length).toBeGreaterThan(1);
  });

  it.each(workflows)('%s has only permissions that a job needs, and keeps no credentials', (_name, _text, workflow) => {
    expect(workflow.permissions).toEqual({});
    for (const [job, { permissions, steps = [] }] of Object.entries(workflow.jobs)) {
      expect(permissions, job).toBeDefined();
      for (const step of steps.filter(({ uses }) => uses?.startsWith('actions/checkout@')))
        expect(step.with).toMatchObject({ 'persist-credentials': false });
      for (const { run = '' } of steps) expect(run).not.toContain('${{');
    }
  });

  it('of a release publish only after the tests', () => {
    const { jobs } = parse(readFileSync(join(workflowFolder, 'release.yml'), 'utf8')) as {
      jobs: Record<string, { needs?: string[] | string }>;
    };
    const needsOf = (job: string): readonly string[] =>
      [jobs[job]?.needs ?? []].flat().flatMap((one) => [one, ...needsOf(one)]);
    for (const job of ['image', 'chart', 'npm', 'release']) expect(needsOf(job)).toContain('test');
  });

  it('of every change run .ci/run whole, which lets no test be skipped', () => {
    const ci = parse(readFileSync(join(workflowFolder, 'ci.yml'), 'utf8')) as {
      on: Readonly<Record<string, unknown>>;
      jobs: Readonly<Record<string, Job>>;
    };
    expect(Object.keys(ci.on)).toEqual(['push', 'pull_request', 'workflow_call']);
    const [test, ...others] = Object.values(ci.jobs);
    expect(others).toEqual([]);
    expect(test).not.toHaveProperty('if');
    expect(test).not.toHaveProperty('continue-on-error');
    const steps = (test?.steps ?? []).filter(({ uses }) => uses === undefined);
    expect(steps).toEqual([{ run: '.ci/run' }]);
    expect(readDocument('.ci/run')).toMatch(/^export TEST_REQUIRE_ALL=1\nnpm ci && npm test\n$/m);
  });

  it('of every change install what .ci/run compiles and runs with', () => {
    const ci = readDocument(`${workflowFolder}/ci.yml`);
    for (const action of ['actions/setup-node@', 'actions/setup-go@']) expect(ci).toContain(` uses: ${action}`);
  });

  it('of every change get the Debian packages and schemathesis from .ci/run', () => {
    const complete = readDocument('.ci/run');
    const packages = [...complete.matchAll(/packages\+?=\(([\w. -]+)\)/g)].flatMap(([, names = '']) =>
      names.split(' '),
    );
    for (const name of ['redis-server', 'haproxy', 'nginx-light', 'prometheus', 'tinyproxy-bin', 'jq', 'python3-venv'])
      expect(packages).toContain(name);
    for (const name of ['docker.io', 'chromium', 'chromium-headless-shell']) expect(packages).toContain(name);
    expect(complete).toMatch(/'schemathesis==[\d.]+'/);
  });

  describe.each(tools)('are accepted by %s', (tool, args) => {
    it.skipIf(!installed.has(tool))(`without a finding${needs(installed.has(tool), tool)}`, () => {
      const { status, stdout, stderr } = spawnSync(tool, args, { encoding: 'utf8' });
      expect(status, `${stdout}${stderr}`).toBe(0);
    });
  });
});

describe('the version', () => {
  const read = readDocument;

  it('is the same everywhere, and has notes in the changelog', () => {
    const { notes, problems } = releaseNotes(`v${packageJson.version}`, read);
    expect(problems).toEqual([]);
    expect(notes).toContain('### Added');
    expect(notes).not.toContain('## [');
  });

  it('is not released if a file has another one or there are no notes', () => {
    const { problems } = releaseNotes('v99.0.0', read);
    expect(problems).toHaveLength(6);
    for (const place of ['package.json', 'package-lock.json', 'version', 'appVersion', 'openapi.yaml', 'CHANGELOG.md'])
      expect(problems.some((problem) => problem.includes(place))).toBe(true);
  });

  it.each(['1.0.0', 'v1.0', 'v1.0.0; rm', ''])('%j is not a version tag', (tag) => {
    expect(releaseNotes(tag, read).problems).toHaveLength(1);
  });

  it('is covered by the newest supported line in SECURITY.md', () => {
    const [, line = ''] = /^\| (\d+\.\d+)\.x \| yes/m.exec(readDocument('SECURITY.md')) ?? [];
    expect(packageJson.version.startsWith(`${line}.`)).toBe(true);
  });
});
