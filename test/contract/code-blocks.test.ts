// Checks every code block of the documentation: loads policies and settings, parses JSON and YAML, compiles programs,
// checks that commands and options exist, and runs HAProxy and nginx on their configurations. A block that cannot be
// checked has the marker `<!-- not run: why -->` on the line above.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseSync } from 'rolldown/utils';
import { afterAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import packageJson from '../../package.json' with { type: 'json' };
import { loadIssuersFile } from '../../src/authn/issuers-file.ts';
import { checkCommand } from '../../src/commands/check.ts';
import type { Command } from '../../src/commands/command.ts';
import { devTokenCommand } from '../../src/commands/dev-token.ts';
import { diffCommand } from '../../src/commands/diff.ts';
import { explainCommand } from '../../src/commands/explain.ts';
import { healthcheckCommand } from '../../src/commands/healthcheck.ts';
import { serveCommand } from '../../src/commands/serve.ts';
import { testCommand } from '../../src/commands/test.ts';
import { loadConfiguration } from '../../src/config/load-configuration.ts';
import { loadPolicy } from '../../src/policy/compile/load-policy.ts';
import { ConfigurationError, toLine } from '../../src/problem.ts';
import { readDocument } from './settings-documents.ts';
import { needs } from '../support/vitest/needs.ts';

const root = new URL('../../', import.meta.url).pathname;
const scratch = mkdtempSync(join(tmpdir(), 'guest-token-blocks-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const pages = ['.', 'docs', 'deploy'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: folder !== '.', encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name)),
);

interface Block {
  readonly title: string;
  readonly language: string;
  readonly code: string;
  /** The reason why it cannot be checked. */
  readonly marker: string | undefined;
}

const blocks: readonly Block[] = pages.flatMap((page) => {
  const text = readDocument(page);
  return [...text.matchAll(/^(?:<!-- not run: ([^\n]+) -->\n\n?)?( *)```(\S[^\n]*)?\n(.*?)^\2```$/gms)].map((match) => {
    const [, marker, indent = '', language = '', code = ''] = match;
    const line = text.slice(0, match.index).split('\n').length;
    return { title: `${page}:${line}`, language, code: code.replaceAll(`\n${indent}`, '\n'), marker };
  });
});

const commands: readonly Command[] = [
  serveCommand,
  checkCommand,
  explainCommand,
  testCommand,
  diffCommand,
  healthcheckCommand,
  devTokenCommand,
];

const policyProblems = (text: string, file: string): readonly string[] => {
  try {
    return loadPolicy({ text, file, maxLifetimeSeconds: 86_400 }).lint.map(toLine);
  } catch (error) {
    return [String(error)];
  }
};

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The kind of a value from a YAML block: a policy, a list of issuers, or a string with one. */
function problemsOfValue(value: unknown, text: string, title: string): readonly string[] {
  if (typeof value === 'string') return /^dataApps:/m.test(value) ? policyProblems(value, title) : [];
  if (Array.isArray(value) && value.some((one) => isObject(one) && 'issuer' in one)) {
    const loaded = loadIssuersFile(text, title, {
      clockToleranceSeconds: 30,
      allowMissingIssuer: false,
      allowMissingAudience: false,
      allowHttp: false,
      readFile: () => Buffer.from('VGhpcyBpcyBhIHNlY3JldCBvZiB0aGUgdGVzdHMsIGxvbmcgZW5vdWdo\n'),
    });
    return 'problems' in loaded ? loaded.problems.map(toLine) : [];
  }
  if (!isObject(value)) return [];
  if ('dataApps' in value && 'version' in value) return policyProblems(text, title);
  return Object.values(value).flatMap((one) => problemsOfValue(one, text, title));
}

function yamlProblems({ code, title }: Block): readonly string[] {
  const documents = parseAllDocuments(code);
  if (!Array.isArray(documents)) return ['is empty'];
  return documents.flatMap((document) => [
    ...document.errors.map(({ message }) => message),
    ...problemsOfValue(document.toJS(), code, title),
  ]);
}

/** One JSON text, or one per line. */
function jsonProblems({ code }: Block): readonly string[] {
  const texts = code.startsWith('{"') ? code.trim().split('\n') : [code];
  return texts.flatMap((text) => {
    try {
      JSON.parse(text);
      return [];
    } catch (error) {
      return [String(error)];
    }
  });
}

/** Syntax only; frontend.test.ts checks the types of docs/frontend.md. */
function scriptProblems({ language, code }: Block): readonly string[] {
  const scripts = ['html', 'vue', 'svelte'].includes(language)
    ? [...code.matchAll(/<script[^>]*>\n?(.*?)<\/script>/gs)].map(([, script = '']) => script)
    : [code];
  const name = language === 'tsx' ? 'block.tsx' : 'block.ts';
  return scripts.flatMap((script) => parseSync(name, script).errors.map(({ message }) => message));
}

const ours = /(?:guest-token-proxy|node (?:src\/main\.ts|\/app\/dist\/main\.js)) ([a-z][a-z-]*)([^|;&#\n]*)/g;

/** An unknown command, option, script or file. */
function commandProblems(code: string): readonly string[] {
  const text = code.replaceAll('\\\n', ' ');
  const options = [...text.matchAll(ours)].flatMap(([, name = '', words = '']) => {
    const command = commands.find((one) => one.name === name);
    // `--network guest-token-proxy` is an option of another program.
    if (command === undefined) return [];
    const used = words.match(/(?<= )--[a-z-]+/g) ?? [];
    const has = (option: string): boolean => new RegExp(`${option}(?![a-z-])`).test(command.help);
    return used.filter((option) => !has(option)).map((option) => `${name} has no ${option}`);
  });
  const scripts = [...text.matchAll(/npm run ([a-z:]+)/g)]
    .map(([, script = '']) => script)
    .filter((script) => !Object.hasOwn(packageJson.scripts, script))
    .map((script) => `there is no script ${script}`);
  const files = [...text.matchAll(/(?<=[\s/:=]|^)(?:deploy|docs|src|demo|bench|scripts)\/[\w./-]+/gm)]
    .map(([file]) => file)
    // A file that a command writes does not exist yet, but its folder does.
    .filter((file) => !existsSync(join(root, file)) && !existsSync(join(root, dirname(file))))
    .map((file) => `there is no ${file}`);
  return [...options, ...scripts, ...files];
}

/** Loads a block's settings, with the others that a start needs. */
function settingProblems(code: string): readonly string[] {
  const settings = Object.fromEntries(
    [...code.matchAll(/^([A-Z][A-Z0-9_]*)=([^\s#]*)/gm)].map(([, name = '', value = '']) => [name, value]),
  );
  const names = Object.keys(settings);
  if (names.length === 0) return [];
  const isGiven = (prefix: string): boolean => names.some((name) => name.startsWith(prefix));
  const needed = {
    ...(isGiven('JWT_ISSUER') ? {} : { JWT_ISSUER: 'https://login.example.com', JWT_AUDIENCE: 'reports' }),
    ...(isGiven('DATABRAIN_API_KEY') ? {} : { DATABRAIN_API_KEY: 'the-key-of-this-test' }),
  };
  const policy = `version: 1
dataApps:
  any:
    default: true
    expiresIn: 1h
    request: { clientId: acme, params: { allowedEmbeds: [any] } }
`;
  const readFile = (path: string): Buffer =>
    Buffer.from(path.endsWith('.yaml') ? policy : 'the-secret-of-this-test-that-is-long-enough');
  try {
    loadConfiguration({ ...needed, ...settings }, readFile);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    // This test has no secret stores.
    return error.problems.filter(({ location }) => !isGiven(`${location}_`)).map(toLine);
  }
}

function shellProblems({ code }: Block): readonly string[] {
  const { status, stderr } = spawnSync('bash', ['-n'], { input: code, encoding: 'utf8' });
  const syntax = status === 0 ? [] : [stderr];
  const isSettings = code.split('\n').every((line) => /^(?:\s*#.*|[A-Z][A-Z0-9_]*=\S*(?:\s+#.*)?|\s*)$/.test(line));
  return [...syntax, ...commandProblems(code), ...(isSettings ? settingProblems(code) : [])];
}

const isInstalled = (program: string): boolean => spawnSync(program, ['-v']).error === undefined;

/** A configuration file given to the program that reads it, with a certificate of this test. */
function serverProblems({ language, code }: Block): readonly string[] {
  const certificate = join(scratch, 'tls.pem');
  const subject = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=localhost'];
  const openssl = ['req', ...subject, '-keyout', `${certificate}.key`, '-out', certificate];
  expect(spawnSync('openssl', openssl).status).toBe(0);
  const file = join(scratch, `block.${language}`);
  const isHaproxy = language === 'haproxy';
  spawnSync('sh', ['-c', `cat '${certificate}' '${certificate}.key' > '${certificate}.both'`]);
  const text = isHaproxy
    ? code.replace(/crt \S+/, `crt ${certificate}.both`)
    : `pid ${scratch}/nginx.pid; error_log stderr; events {} http { access_log off; ${code
        .replace(/ssl_certificate [^;]+/, `ssl_certificate ${certificate}`)
        .replace(/ssl_certificate_key [^;]+/, `ssl_certificate_key ${certificate}.key`)} }`;
  writeFileSync(file, text);
  const args = isHaproxy ? ['-c', '-f', file] : ['-t', '-q', '-p', scratch, '-c', file];
  const { status, stdout, stderr } = spawnSync(language, args, { encoding: 'utf8' });
  return status === 0 ? [] : [`${stdout}${stderr}`];
}

const tried: Readonly<Record<string, (block: Block) => readonly string[]>> = {
  'yaml policy': ({ code, title }) => policyProblems(code, title),
  // test/policy-examples/guide.test.ts runs them with the policy above them.
  'yaml policy-test': yamlProblems,
  yaml: yamlProblems,
  json: jsonProblems,
  js: scriptProblems,
  ts: scriptProblems,
  tsx: scriptProblems,
  html: scriptProblems,
  vue: scriptProblems,
  svelte: scriptProblems,
  sh: shellProblems,
  haproxy: serverProblems,
  nginx: serverProblems,
};

describe('the code blocks', () => {
  it('exist', () => expect(blocks.length).toBeGreaterThan(100));

  it('without a test, and only those, have a reason', () => {
    const unsaid = blocks.filter(({ language, marker }) => (marker === undefined) !== Object.hasOwn(tried, language));
    expect(unsaid.map(({ title, language }) => `${title}: ${language}`)).toEqual([]);
  });

  describe.each(Object.keys(tried))('in %s', (language) => {
    const chosen = blocks.filter((block) => block.language === language && block.marker === undefined);
    const isMissing = (language === 'haproxy' || language === 'nginx') && !isInstalled(language);
    it.skipIf(isMissing)(`are valid${needs(!isMissing, language === 'nginx' ? 'nginx' : 'haproxy')}`, () => {
      const problems = chosen.flatMap((block) =>
        (tried[language]?.(block) ?? []).map((one) => `${block.title}: ${one}`),
      );
      expect(problems).toEqual([]);
      expect(chosen.length).toBeGreaterThan(0);
    });
  });
});

describe('an invalid code block', () => {
  it.each([
    ['yaml policy', 'version: 1\ndataApps: {}\n'],
    ['yaml', 'a: [1\n'],
    ['yaml', 'policy:\n  inline: |\n    version: 1\n    dataApps:\n      x: {}\n'],
    ['yaml', '- issuer: https://login.example.com/\n  audiences: reports\n'],
    ['json', '{ "a": 1, }\n'],
    ['js', 'const a = ;\n'],
    ['html', '<script type="module">import { from x</script>\n'],
    ['sh', 'if true; then\n'],
    ['sh', 'guest-token-proxy check --livee\n'],
    ['sh', 'docker exec proxy node /app/dist/main.js explain --claim x\n'],
    ['sh', 'npm run no-such\n'],
    ['sh', 'cp docs/no-such-folder/policy.yaml .\n'],
    ['sh', 'JWT_AUDIENC=reports\n'],
    ['sh', 'PORT=eighty\n'],
  ])('in %s is found: %j', (language, code) => {
    expect(tried[language]?.({ title: 'wrong', language, code, marker: undefined })).not.toEqual([]);
  });
});
