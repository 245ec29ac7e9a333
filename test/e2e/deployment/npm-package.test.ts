// The npm package: a reproducible build, packed, installed into an empty folder without a network, then run with every
// supported Node.js version, bundled, and type-checked.
import { build } from 'esbuild';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packBuild } from '../../../.ci/npm-package.ts';
import { startSimulatedDatabrain, type SimulatedDatabrain } from '../../../demo/databrain/start-simulated-databrain.ts';
import packageJson from '../../../package.json' with { type: 'json' };
import { startProgram } from '../../support/programs/program.ts';
import { signToken } from '../../support/sign-token.ts';
import { needs } from '../../support/vitest/needs.ts';

const scratch = mkdtempSync(join(tmpdir(), 'guest-token-npm-'));
afterAll(() => rmSync(scratch, { recursive: true }));

/** Name → SHA-256 of every file in a folder. */
const digests = (folder: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    readdirSync(folder, { recursive: true, encoding: 'utf8', withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((path) => [path.slice(folder.length), createHash('sha256').update(readFileSync(path)).digest('hex')]),
  );

/** A copy of node_modules. */
const packages = join(scratch, 'packages');

/** Builds and packs in a separate folder, which has the packages meanwhile. */
function make(...place: readonly string[]) {
  const folder = join(scratch, ...place);
  const files = ['src', 'scripts', 'build.ts', 'tsconfig.json', 'package.json', ...packageJson.files];
  for (const file of files.filter((one) => !one.startsWith('dist')))
    cpSync(file, join(folder, file), { recursive: true });
  // Moved, because with a symbolic link the packages would have another path.
  renameSync(packages, join(folder, 'node_modules'));
  const made = spawnSync(process.execPath, ['build.ts'], { cwd: folder, encoding: 'utf8' });
  renameSync(join(folder, 'node_modules'), packages);
  expect(made.status, made.stderr).toBe(0);
  return { dist: digests(join(folder, 'dist')), archive: packBuild(folder, folder) };
}

/** An empty project with the package installed. Nothing is downloaded, because the package has no dependencies. */
const project = join(scratch, 'project');
const installed = join(project, 'node_modules', packageJson.name);
let archive: string;

beforeAll(() => {
  // Hard links if possible.
  for (const how of ['-al', '-a']) {
    if (existsSync(join(packages, 'esbuild/package.json'))) break;
    rmSync(packages, { recursive: true, force: true });
    spawnSync('cp', [how, 'node_modules', packages]);
  }
  ({ archive } = make('one', 'somewhere', 'deeper'));
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), '{}');
  const args = ['install', '--offline', '--ignore-scripts', '--no-audit', '--no-fund', archive];
  execFileSync('npm', args, { cwd: project, stdio: 'pipe' });
});

describe('the package', () => {
  it('has the same bytes if it is built in another folder at another time', () => {
    const another = make('another');
    expect(Object.keys(another.dist)).toContain('/main.js');
    expect(another.dist).toEqual(digests(join(scratch, 'one/somewhere/deeper/dist')));
    expect(readFileSync(another.archive).equals(readFileSync(archive))).toBe(true);
  });

  it('declares its module type, so that Node does not have to detect it, wherever dist/ is copied', () => {
    const copy = join(scratch, 'copy');
    cpSync(join(scratch, 'one/somewhere/deeper/dist'), copy, { recursive: true });
    const args = ['--no-experimental-detect-module', join(copy, 'main.js'), '--version'];
    expect(execFileSync(process.execPath, args, { encoding: 'utf8' })).toBe(`${packageJson.version}\n`);
  });

  it('contains the program, the files that it serves and the browser helper with types, and nothing else', () => {
    expect(
      Object.keys(digests(installed)).filter(
        (name) => !/^\/dist\/(browser\/[a-z-]+\.d\.ts|main\/[A-Za-z-]+-[0-9A-Z]{8}\.js)$/.test(name),
      ),
    ).toEqual([
      '/CHANGELOG.md',
      '/LICENSE',
      '/README.md',
      '/dist/browser/index.js',
      '/dist/browser/index.js.map',
      '/dist/licenses.txt',
      '/dist/main.js',
      '/dist/playground/index.html',
      '/dist/playground/page.css',
      '/dist/playground/page.js',
      '/guest-token.js',
      '/openapi.yaml',
      '/package.json',
      '/policy.schema.json',
    ]);
  });

  it('contains the licenses of all bundled packages', () => {
    const text = readFileSync(join(installed, 'dist/licenses.txt'), 'utf8');
    for (const name of ['fastify', '@fastify/jwt', 'undici', 'pino', 'yaml'])
      expect(text).toMatch(new RegExp(`^${name} \\d`, 'm'));
    expect(text).not.toContain('undefined');
  });

  it('installs no other package', () => {
    expect(readdirSync(join(project, 'node_modules')).filter((name) => !name.startsWith('.'))).toEqual([
      packageJson.name,
    ]);
  });
});

// .ci/run installs these; the Node.js of the repository is always available.
const nodes = [
  ['22.19', process.env['TEST_NODE_22']],
  ['24', process.execPath],
  ['26', process.env['TEST_NODE_26']],
] as const;

describe.each(nodes)('on Node.js %s', (line, node = '') => {
  const title = (text: string): string =>
    `${text}${needs(node !== '', line === '22.19' ? 'TEST_NODE_22' : 'TEST_NODE_26')}`;
  const secret = 'a secret of the package test that is long enough';
  const files = {
    'policy.yaml': `
version: 1
dataApps:
  sales-dashboard:
    default: true
    expiresIn: 1h
    request:
      clientId: \${claims.org_id}
      params: { allowedEmbeds: [sales-overview] }
`,
  };
  let databrain: SimulatedDatabrain;
  let settings: Readonly<Record<string, string>>;
  beforeAll(async () => {
    const apiKey = '0c8f5a9b-9d0c-4b62-8c44-5fdb2d5b6d8b';
    databrain = await startSimulatedDatabrain({ apiKeys: { 'sales-dashboard': apiKey } });
    settings = {
      JWT_ISSUER: 'https://login.example.com',
      JWT_AUDIENCE: 'reports',
      JWT_SECRET: secret,
      DATABRAIN_API_KEY: apiKey,
      DATABRAIN_API_URL: databrain.url,
    };
  });
  afterAll(() => databrain.close());

  it.skipIf(node === '')(title('`npx guest-token-proxy check` says what is missing, then that all is well'), () => {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(project, name), text);
    const bin = join(scratch, `bin-${line}`);
    mkdirSync(bin);
    symlinkSync(node, join(bin, 'node'));
    const check = (env: Readonly<Record<string, string>>) => {
      const PATH = `${bin}${delimiter}${process.env['PATH'] ?? ''}`;
      const options = { cwd: project, env: { PATH, HOME: scratch, ...env }, encoding: 'utf8' } as const;
      expect(execFileSync('node', ['--version'], options)).toContain(`v${line}.`);
      return spawnSync('npx', ['--offline', packageJson.name, 'check'], options);
    };
    expect(check({})).toMatchObject({
      status: 78,
      stdout: '',
      stderr: expect.stringMatching(/^JWT_ISSUER: /m) as string,
    });
    expect(check(settings)).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^ok: policy\.yaml, /) as string,
    });
  });

  it.skipIf(node === '')(title('`serve` mints a guest token, and refuses a token of somebody else'), async () => {
    const program = await startProgram({ node, path: join(installed, 'dist/main.js'), env: settings, files });
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: 'https://login.example.com', aud: 'reports', sub: 'u1', org_id: 'acme', exp: now + 60 };
    const sendWith = (key: string) =>
      program.send({
        method: 'POST',
        path: '/guest-token',
        headers: { authorization: `Bearer ${signToken('HS256', key, claims)}` },
      });
    expect(await sendWith('another secret that is just as long as the first')).toMatchObject({ status: 401 });
    expect(databrain.requests).toEqual([]);
    const { status, text } = await sendWith(secret);
    expect({ status, text }).toMatchObject({
      status: 200,
      text: expect.stringMatching(/^\{"token":"[0-9a-f-]{36}"\}$/) as string,
    });
    expect(databrain.requests).toMatchObject([{ body: { clientId: 'acme' }, status: 200 }]);
    for (const path of ['/guest-token.js', '/openapi.yaml'])
      expect(await program.send({ method: 'GET', path })).toMatchObject({ status: 200 });
    expect(await program.stop()).toBe(0);
  });
});

describe('guest-token-proxy/browser', () => {
  const app = `import { createGuestTokens, mount } from 'guest-token-proxy/browser';
const tokens = createGuestTokens({ url: '/guest-token', getAccessToken: (fresh: boolean) => (fresh ? 'new' : 'old') });
mount(document.body, { tokens, embedId: 'sales-overview', onError: ({ code, terminal }) => [code.length, !terminal] });
`;
  beforeAll(() => writeFileSync(join(project, 'app.ts'), app));

  it('can be bundled, and a debugger finds its sources', async () => {
    const { outputFiles = [] } = await build({
      absWorkingDir: project,
      entryPoints: ['app.ts'],
      outdir: 'bundle',
      bundle: true,
      format: 'esm',
      write: false,
      sourcemap: true,
    });
    const [map, code] = outputFiles.map(({ text }) => text);
    expect(code).toContain('guest-token-dashboard');
    const { sources, sourcesContent } = JSON.parse(map ?? '') as { sources: string[]; sourcesContent: string[] };
    const index = sources.findIndex((source) => source.endsWith('src/browser/mount.ts'));
    expect(sourcesContent[index]).toContain('export function mount(');
  });

  it.each(['bundler', 'nodenext'])('has types that work with the module resolution %s', (how) => {
    const compilerOptions = {
      noEmit: true,
      strict: true,
      // The declarations of the package are checked too, those of TypeScript are not.
      skipDefaultLibCheck: true,
      types: [],
      target: 'es2022',
      lib: ['es2022', 'dom', 'dom.iterable'],
      module: how === 'bundler' ? 'preserve' : how,
      moduleResolution: how,
    };
    const wrong = app.replace("url: '/guest-token'", 'url: 7');
    writeFileSync(join(project, 'wrong.ts'), wrong);
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['app.ts', 'wrong.ts'] }));
    const tsc = resolve('node_modules/typescript/bin/tsc');
    const { stdout } = spawnSync(process.execPath, [tsc, '-p', project], { encoding: 'utf8' });
    const errors = stdout.split('\n').filter((line) => line.includes('error TS'));
    expect(errors).toEqual([expect.stringMatching(/wrong\.ts\(2,36\): error TS2322:/)]);
  });
});
