// Checks that the bundle works like the sources, although the build compiles the schemas and omits parts of libraries.
import { build, type BuildOptions } from 'esbuild';
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import packageJson from '../../../package.json' with { type: 'json' };
import { structureProblems } from '../../../src/policy/document/structure-problems.ts';
import { ConfigurationError } from '../../../src/problem.ts';
import { parseStrictYaml, type YamlDocument } from '../../../src/strict-yaml.ts';
import { compiledValidators } from '../../../scripts/compiled-validators.ts';
import { leftOutOfTheBundle } from '../../../scripts/left-out-of-the-bundle.ts';
import { namedExports } from '../../../scripts/named-exports.ts';
import { requiredBuiltins } from '../../../scripts/required-builtins.ts';
import { policyText, readCases } from '../../policy/policy-case.ts';

const options = {
  bundle: true,
  write: false,
  metafile: true,
  platform: 'node',
  format: 'esm',
  logLevel: 'silent',
  plugins: [compiledValidators, leftOutOfTheBundle, namedExports, requiredBuiltins],
} as const satisfies BuildOptions;

const bundle = (contents: string) =>
  build({ ...options, stdin: { contents, resolveDir: import.meta.dirname, loader: 'ts' } });

function documentOf(text: string): YamlDocument | undefined {
  try {
    return parseStrictYaml({ text, file: 'p.yaml', maxKibibytes: 512 });
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigurationError);
    return undefined;
  }
}

describe('the bundle', () => {
  it('compiles no schema at the start, and contains only the parts of ajv that compiled validators call', async () => {
    const { metafile } = await bundle("export * from '../../../src/json-schema.ts';");
    const ofAjv = Object.keys(metafile.inputs).filter((path) => path.includes('node_modules/'));
    expect(ofAjv.filter((path) => !path.includes('/ajv/dist/runtime/'))).toEqual([]);
  });

  it('finds the same structural problems in a policy as the source code', async () => {
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

  it('loads only what a command needs, and for the service only what is configured', async () => {
    const { metafile } = await build({
      ...options,
      entryPoints: [fileURLToPath(new URL('../../../src/main.ts', import.meta.url))],
      external: Object.keys(packageJson.peerDependencies),
      splitting: true,
      outdir: 'dist',
    });
    const outputOf = (source: string): string =>
      Object.keys(metafile.outputs).find((path) => metafile.outputs[path]?.entryPoint?.endsWith(source)) ?? source;
    /** The packages in an output and in its static imports. */
    const packagesOf = (path: string, seen = new Set<string>()): readonly string[] => {
      const output = metafile.outputs[path];
      if (output === undefined || seen.has(path)) return [];
      seen.add(path);
      const own = Object.keys(output.inputs).flatMap(
        (input) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(input)?.[1] ?? [],
      );
      const imported = output.imports.filter(({ kind }) => kind === 'import-statement');
      return [...new Set([...own, ...imported.flatMap((one) => packagesOf(one.path, seen))])];
    };
    expect(packagesOf(outputOf('src/main.ts'))).toEqual(['close-with-grace']);
    expect(packagesOf(outputOf('commands/healthcheck.ts'))).toEqual([]);
    const ofService = packagesOf(outputOf('commands/serve.ts'));
    expect(ofService).toEqual(expect.arrayContaining(['fastify', 'undici']));
    const exportsOf = (library: string) => metafile.outputs[outputOf(`named exports:${library}`)]?.exports;
    expect(exportsOf('ioredis')).toEqual(expect.arrayContaining(['Redis', 'Cluster']));
    expect(exportsOf('pino-pretty')).toEqual(expect.arrayContaining(['prettyFactory']));
    expect(exportsOf('@opentelemetry/exporter-trace-otlp-http')).toEqual(['OTLPTraceExporter']);
    expect(ofService.filter((name) => /^ioredis$|^pino-pretty$|^@opentelemetry\//.test(name))).toEqual([]);
  });

  it('does not load the HTTP client inside Node.js together with node:http', async () => {
    const { outputFiles } = await bundle(`import http, { createServer } from 'node:http';
      const loaded = process.moduleLoadList.filter((name) => name.includes('deps/undici'));
      console.log(http.createServer === createServer, loaded.length);`);
    const code = `import { createRequire } from 'node:module'; const require = createRequire('/');`;
    const args = ['--input-type=module', '--eval', code + (outputFiles[0]?.text ?? '')];
    expect(execFileSync(process.execPath, args, { encoding: 'utf8' })).toBe('true 0\n');
  });

  it('cannot be built if it uses a part of undici that is left out', async () => {
    await expect(bundle("import { fetch } from 'undici'; console.log(fetch);")).rejects.toThrow('"fetch"');
  });
});
