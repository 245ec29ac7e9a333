// Validates the policy file against its JSON Schema and reports every error with location, problem and fix.
import type { ErrorObject } from 'ajv';
import { didYouMean } from '../../did-you-mean.ts';
import type { Problem } from '../../problem.ts';
import type { Path, YamlDocument } from '../../strict-yaml.ts';
import { validatePolicy } from './policy-schema.ts';

/** RFC 6901 pointer into `document` → path; the segments below lists become numbers. */
function toPath(pointer: string, document: unknown): Path {
  let at = document;
  return pointer
    .split('/')
    .slice(1)
    .map((segment) => {
      const name = segment.replaceAll('~1', '/').replaceAll('~0', '~');
      const isIndex = Array.isArray(at);
      at = (at as Readonly<Record<string, unknown>>)[name];
      return isIndex ? Number(name) : name;
    });
}

/** `dataApps.sales.request.params.appFilters[0]`, or "the policy" for the whole. */
export function pathText(path: Path): string {
  const text = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`)).join('');
  return text === '' ? 'the policy' : text.replace(/^\./, '');
}

interface Parameters {
  readonly additionalProperty?: string;
  readonly missingProperty?: string;
}

interface SchemaPart {
  readonly type?: string | readonly string[];
  readonly pattern?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, { readonly description?: string }>>;
}

/** A value of the file for a message, shortened. */
export const shown = (value: unknown): string => {
  if (typeof value === 'string') return `"${value.length > 60 ? `${value.slice(0, 57)}…` : value}"`;
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return Object.keys(value).length === 0 ? 'an empty map' : 'a map';
  return JSON.stringify(value);
};

/** Whether the same value in quotes would be valid. */
function isTextWithoutQuotes({ data, parentSchema }: ErrorObject): boolean {
  const { type, pattern } = parentSchema as SchemaPart;
  if (typeof data !== 'number' && typeof data !== 'boolean') return false;
  return type?.includes('string') === true && new RegExp(pattern ?? '').test(String(data));
}

function fixFor(error: ErrorObject, description: string): string {
  const { data } = error as { data?: unknown };
  if (typeof data === 'string' && data.includes('${') && !/^\$\{(?:(?!\$\{)[\s\S])*\}$/.test(data))
    return 'There is no string interpolation: write exactly one ${ … } and nothing around it; join strings inside it with +';
  if (isTextWithoutQuotes(error)) return `Put quotes around ${String(data)} if it is a string`;
  return `Write ${description}`;
}

function toProblem(error: ErrorObject, document: YamlDocument): Problem | undefined {
  const path = toPath(error.instancePath, document.value);
  const parameters = error.params as Parameters;
  const parent = (error.parentSchema ?? {}) as SchemaPart;
  const description = parent.description ?? 'something else';

  if (error.keyword === 'additionalProperties') {
    const name = parameters.additionalProperty ?? '';
    const known = Object.keys(parent.properties ?? {});
    return {
      location: document.positionOfKey([...path, name]),
      problem: `unknown key "${name}" in ${pathText(path)}`,
      fix: didYouMean(name, known, `Known here: ${known.join(', ')}`),
    };
  }
  if (error.keyword === 'required' || error.keyword === 'dependencies') {
    const name = parameters.missingProperty ?? '';
    return {
      location: document.positionOfKey(path),
      problem: `"${name}" is missing in ${pathText(path)}`,
      fix: `Add ${name}: ${parent.properties?.[name]?.description ?? description}`,
    };
  }
  if (error.propertyName !== undefined) {
    return {
      location: document.positionOfKey([...path, error.propertyName]),
      problem: `the key ${shown(error.propertyName)} in ${pathText(path)} is not ${description}`,
      fix: `Write ${description}`,
    };
  }
  if (error.keyword === 'propertyNames') return undefined;
  return {
    location: document.positionOf(path),
    problem:
      error.keyword === 'not'
        ? `${pathText(path)} must be constant: SQL is never built from an expression`
        : `${pathText(path)} must be ${description}, not ${shown((error as { data?: unknown }).data)}`,
    fix: error.keyword === 'not' ? 'Write a constant, or rename the filter' : fixFor(error, description),
  };
}

/** All problems of the structure; empty if the document is a valid policy. */
export function structureProblems(document: YamlDocument): readonly Problem[] {
  if (validatePolicy(document.value)) return [];
  const found = (validatePolicy.errors ?? []).flatMap((error) => toProblem(error, document) ?? []);
  const seen = new Set<string>();
  return found.filter(({ location, problem }) => {
    const key = JSON.stringify([location, problem]);
    return seen.has(key) ? false : seen.add(key) !== undefined;
  });
}
