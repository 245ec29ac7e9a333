// The message of `npm start`, `npm run demo` and `npm test` if Node.js is too old to run a .ts file.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import packageJson from '../../../package.json' with { type: 'json' };

const root = new URL('../../../', import.meta.url);
const pages = readdirSync(new URL('docs/', root), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.md'))
  .map((name) => `docs/${name}`);
const script = fileURLToPath(new URL('../../../demo/require-node.js', import.meta.url));
const asVersion = (version: string) => {
  const pretend = `Object.defineProperty(process.versions, 'node', { value: '${version}' })`;
  return spawnSync(process.execPath, ['--import', `data:text/javascript,${encodeURIComponent(pretend)}`, script], {
    encoding: 'utf8',
  });
};

describe('the check of the Node.js version', () => {
  it.each(['22.19.0', '22.20.1', '24.0.0', '26.1.0'])('accepts %s without output', (version) => {
    expect(asVersion(version)).toMatchObject({ status: 0, stdout: '', stderr: '' });
  });

  it.each(['18.20.0', '20.20.2', '22.18.9'])('reports the problem with %s and its fix', (version) => {
    const { status, stderr } = asVersion(version);
    expect(status).toBe(1);
    expect(stderr).toContain(`this is Node.js ${version}`);
    expect(stderr).toContain('npm ci --ignore-scripts=false');
  });

  const runsTypeScript = Object.entries(packageJson.scripts).filter(([, script]) => /\bnode \S+\.ts\b/.test(script));
  it.each(runsTypeScript)('runs before npm run %s', (_name, script) => {
    expect(script).toMatch(/^node demo\/require-node\.js && /);
  });

  it.each(['README.md', 'CONTRIBUTING.md', ...pages])('is part of every command in %s', (page) => {
    const text = readFileSync(new URL(page, root), 'utf8');
    const commands = [...text.matchAll(/(npm exec -- )?\bnode [\w./-]+\.ts\b/g)];
    const bare = commands.filter(([, throughNpm]) => throughNpm === undefined).map(([command]) => command);
    expect(
      bare,
      `${page}: an older Node.js cannot read a .ts file. Write npm exec -- in front, or an npm script`,
    ).toEqual([]);
  });

  it('is not needed for the install scripts that package.json allows', () => {
    expect(packageJson.allowScripts).toMatchObject({ node: true, esbuild: true });
  });
});
