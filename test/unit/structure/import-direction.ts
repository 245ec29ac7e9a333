// The import direction of the service: which parts a part may import, and of which only types.
import { importedPath, type SourceFile } from './source-file.ts';

interface Rule {
  /** Parts that may be imported. */
  readonly uses: readonly string[];
  /** Parts of which only types may be imported. */
  readonly knows: readonly string[];
}

const ground = [
  'clock',
  'did-you-mean',
  'egress',
  'errors',
  'file-reader',
  'json-schema',
  'printable',
  'problem',
  'refusal-reasons',
  'secrets',
  'single-flight',
  'strict-json',
  'strict-yaml',
  'trusted-url',
  'unusable-text',
  'version',
  'watched-file',
];
/** Used by several stages: the connection to Redis and the counting of requests. */
const shared = ['redis', 'limits'];
const stages = ['authn', 'policy', 'databrain', 'guest-token'];
const everyPart = [...ground, ...shared, ...stages, 'config', 'http', 'telemetry'];

/** A part is a folder of src/ or a file directly in it. Imports that are not listed are not allowed. */
const directions: Readonly<Record<string, Rule>> = {
  clock: { uses: [], knows: [] },
  'did-you-mean': { uses: [], knows: [] },
  egress: { uses: [], knows: ['secrets'] },
  errors: { uses: [], knows: ['refusal-reasons'] },
  'file-reader': { uses: [], knows: [] },
  'json-schema': { uses: [], knows: [] },
  printable: { uses: [], knows: [] },
  problem: { uses: [], knows: [] },
  'refusal-reasons': { uses: [], knows: [] },
  'single-flight': { uses: [], knows: [] },
  'strict-json': { uses: [], knows: [] },
  'strict-yaml': { uses: ['problem'], knows: [] },
  'trusted-url': { uses: [], knows: [] },
  'unusable-text': { uses: [], knows: [] },
  version: { uses: [], knows: [] },
  /** Reads files that are shipped with the program, and imports no part of it. */
  'shipped-files': { uses: [], knows: [] },
  'watched-file': { uses: ['file-reader', 'problem'], knows: [] },
  secrets: {
    uses: [
      'clock',
      'egress',
      'errors',
      'file-reader',
      'problem',
      'single-flight',
      'strict-json',
      'trusted-url',
      'unusable-text',
      'watched-file',
    ],
    knows: [],
  },
  redis: { uses: ground, knows: [] },
  limits: { uses: [...ground, 'redis'], knows: [] },
  authn: { uses: ground, knows: [] },
  policy: { uses: ground, knows: ['authn'] },
  playground: { uses: [...ground, 'policy'], knows: ['authn'] },
  databrain: { uses: ground, knows: ['policy'] },
  'guest-token': { uses: [...ground, 'redis'], knows: ['authn', 'policy', 'databrain'] },
  config: { uses: [...ground, 'authn', 'policy', 'redis'], knows: ['telemetry'] },
  /** Changes while the service runs. */
  reload: { uses: [...ground, 'config', 'policy'], knows: ['authn', 'telemetry'] },
  telemetry: { uses: ground, knows: [...shared, ...stages] },
  http: { uses: [...ground, ...shared], knows: [...stages, 'config', 'playground', 'telemetry'] },
  app: { uses: [...everyPart, 'playground', 'reload'], knows: [] },
  commands: { uses: [...everyPart, 'app', 'reload', 'shipped-files'], knows: [] },
  /** Runs in a browser and imports nothing of the service. */
  browser: { uses: [], knows: [] },
  main: { uses: [...ground, 'commands', 'telemetry'], knows: [] },
};

/** `src/http/listener.ts` → `http`, `src/app.ts` → `app`. */
export const partOf = (path: string): string => (path.split('/')[1] ?? path).replace(/\.ts$/, '');

/** One sentence per import in the wrong direction. */
export function wrongWayImports(file: SourceFile): readonly string[] {
  const part = partOf(file.path);
  const rule = directions[part];
  if (rule === undefined) return [`${file.path} belongs to no known part of the service`];
  return file.imports.flatMap(({ specifier, typeOnly }) => {
    const target = importedPath(file.path, specifier);
    if (target === undefined) return [];
    if (!target.startsWith('src/')) return [`${file.path} imports ${target} from outside src/`];
    const other = partOf(target);
    if (other === part || rule.uses.includes(other)) return [];
    if (rule.knows.includes(other)) return typeOnly ? [] : [`${file.path} uses ${target}, but may know its types only`];
    return [`${file.path} imports ${target}, against the direction`];
  });
}

/** The first circle of imports, as the paths along it, or undefined. With `isCode`, only of imports that run code. */
export function importCircle(files: readonly SourceFile[], isCode = true): readonly string[] | undefined {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const done = new Set<string>();

  const walk = (path: string, trail: readonly string[]): readonly string[] | undefined => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path];
    if (done.has(path)) return undefined;
    for (const { specifier, typeOnly } of byPath.get(path)?.imports ?? []) {
      const next = typeOnly && isCode ? undefined : importedPath(path, specifier);
      const circle = next === undefined ? undefined : walk(next, [...trail, path]);
      if (circle !== undefined) return circle;
    }
    done.add(path);
    return undefined;
  };

  for (const { path } of files) {
    const circle = walk(path, []);
    if (circle !== undefined) return circle;
  }
  return undefined;
}
