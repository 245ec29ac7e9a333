// node .ci/release-notes.ts v1.2.3: prints the changelog's section of that version. Fails with all
// reasons unless tag, package.json, Chart.yaml and openapi.yaml have the same version and the changelog has its notes.
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

/** Reads a file of the repository. */
export type ReadText = (path: string) => string;

interface ReleaseNotes {
  readonly notes: string;
  readonly problems: readonly string[];
}

/** The text below `## [version]` up to the next version, without the heading. */
function changelogSection(changelog: string, version: string): string {
  const [, after = ''] = changelog.split(`\n## [${version}]`);
  const body = after.slice(after.indexOf('\n') + 1);
  return body.split('\n## [')[0]?.trim() ?? '';
}

export function releaseNotes(tag: string, read: ReadText): ReleaseNotes {
  const problems: string[] = [];
  const version = /^v(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)$/.exec(tag)?.[1];
  if (version === undefined) return { notes: '', problems: [`${tag} is not a tag of a version, such as v1.2.3`] };

  const versionsIn: readonly (readonly [string, unknown])[] = [
    ['package.json', (JSON.parse(read('package.json')) as { version: string }).version],
    ['package-lock.json', (JSON.parse(read('package-lock.json')) as { version: string }).version],
    ['Chart.yaml: version', (parse(read('deploy/helm/guest-token-proxy/Chart.yaml')) as { version: string }).version],
    [
      'Chart.yaml: appVersion',
      (parse(read('deploy/helm/guest-token-proxy/Chart.yaml')) as { appVersion: string }).appVersion,
    ],
    ['openapi.yaml', (parse(read('openapi.yaml')) as { info: { version: string } }).info.version],
  ];
  for (const [place, found] of versionsIn)
    if (found !== version) problems.push(`${place} has version ${String(found)}, the tag says ${version}`);

  const notes = changelogSection(read('CHANGELOG.md'), version);
  if (notes === '') problems.push(`CHANGELOG.md has no section [${version}]`);
  return { notes, problems };
}

if (import.meta.main) {
  const root = new URL('../', import.meta.url);
  const { notes, problems } = releaseNotes(process.argv[2] ?? '', (path) => readFileSync(new URL(path, root), 'utf8'));
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  process.stdout.write(`${notes}\n`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
