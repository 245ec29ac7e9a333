// The bundle says the same as the sources, though the build compiles the schemas and leaves parts of libraries out.
import { build } from 'esbuild';
import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { structureProblems } from '../../../src/policy/document/structure-problems.ts';
import { ConfigurationError } from '../../../src/problem.ts';
import { parseStrictYaml, type YamlDocument } from '../../../src/strict-yaml.ts';
import { compiledValidators } from '../../../scripts/compiled-validators.ts';
import { leftOutOfTheBundle } from '../../../scripts/left-out-of-the-bundle.ts';
import { requiredBuiltins } from '../../../scripts/required-builtins.ts';
import { policyText, readCases } from '../../policy/policy-case.ts';

const bundle = (entry: string) =>
  build({
    stdin: { contents: entry, resolveDir: import.meta.dirname, loader: 'ts' },
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'silent',
    plugins: [compiledValidators, leftOutOfTheBundle, requiredBuiltins],
  });

const validators = [
  '../../../src/http/validate-guest-token-body.ts',
  '../../../src/http/validate-playground-body.ts',
  '../../../src/policy/document/validate-policy.ts',
  '../../../src/policy/validate-upstream-body.ts',
];

function documentOf(text: string): YamlDocument | undefined {
  try {
    return parseStrictYaml({ text, file: 'p.yaml', maxKibibytes: 512 });
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigurationError);
    return undefined;
  }
}

describe('the bundle', () => {
  it('compiles no schema at the start: of ajv it has what compiled validators call', async () => {
    const { metafile } = await bundle(validators.map((path) => `export * from '${path}';`).join('\n'));
    const ofAjv = Object.keys(metafile.inputs).filter((path) => path.includes('node_modules/'));
    expect(ofAjv.filter((path) => !path.includes('/ajv/dist/runtime/'))).toEqual([]);
  });

  it('finds the same problems in the structure of a policy as the sources', async () => {
    const { outputFiles } = await bundle("export * from '../../../src/policy/document/structure-problems.ts';");
    const code = Buffer.from(outputFiles[0]?.contents ?? []).toString('base64');
    const built = (await import(`data:text/javascript;base64,${code}`)) as {
      readonly structureProblems: typeof structureProblems;
    };
    const documents = readCases().flatMap(([, list]) => list.flatMap((one) => documentOf(policyText(one)) ?? []));
    const found = documents.map((document) => structureProblems(document));
    expect(found.filter((problems) => problems.length > 0).length).toBeGreaterThan(40);
    expect(documents.map((document) => built.structureProblems(document))).toEqual(found);
  });

  it('does not load the HTTP client inside Node with node:http', async () => {
    const { outputFiles } = await bundle(`import http, { createServer } from 'node:http';
      const loaded = process.moduleLoadList.filter((name) => name.includes('deps/undici'));
      console.log(http.createServer === createServer, loaded.length);`);
    const code = `import { createRequire } from 'node:module'; const require = createRequire('/');`;
    const args = ['--input-type=module', '--eval', code + (outputFiles[0]?.text ?? '')];
    expect(execFileSync(process.execPath, args, { encoding: 'utf8' })).toBe('true 0\n');
  });

  it('cannot be built with a part of undici that was left out', async () => {
    await expect(bundle("import { fetch } from 'undici'; console.log(fetch);")).rejects.toThrow('"fetch"');
  });
});
