// Compiles one entry of `dataApps`: API key, lifetime, condition, validations and body.
import { closest } from '../../did-you-mean.ts';
import { compileRequest } from './compile-request.ts';
import { computer } from './field.ts';
import { durationSeconds, type DataAppDocument } from '../document/policy-schema.ts';
import type { PolicyCompiler } from './policy-compiler.ts';
import type { YamlDocument } from '../../strict-yaml.ts';
import type { DataAppPolicy, Reference, Validation } from '../policy.ts';
import { filterTextRule, vendorClientId, type Rule, type TextTest } from './value-rules.ts';

/** A pattern of the file, compiled. */
export interface Pattern {
  readonly pattern: string;
  readonly matches: TextTest;
}

export interface DataAppOptions {
  readonly compiler: PolicyCompiler;
  readonly document: YamlDocument;
  readonly maxLifetimeSeconds: number;
  readonly apiKeyNames: ReadonlySet<string> | undefined;
  readonly timeZone: Rule<string>;
  /** The compiled pattern at a path of the file; undefined if there is none or after a problem. */
  readonly patternAt: (path: readonly string[]) => Pattern | undefined;
}

const defaultKeyName = 'DATABRAIN_API_KEY';

/** `DATABRAIN_API_KEY_SALES` → `SALES`, as a policy writes it. */
const toSuffix = (apiKeyName: string): string => apiKeyName.slice(defaultKeyName.length + 1);

/** Undefined after a problem. The result's functions throw denials. */
export function compileDataApp(name: string, app: DataAppDocument, options: DataAppOptions): DataAppPolicy | undefined {
  const { compiler, document, apiKeyNames } = options;
  const path = ['dataApps', name];

  const seconds = durationSeconds(app.expiresIn);
  if (seconds > options.maxLifetimeSeconds)
    compiler.report(
      [...path, 'expiresIn'],
      `expiresIn is ${app.expiresIn}, and TOKEN_MAX_LIFETIME_SECONDS allows ${options.maxLifetimeSeconds} s`,
      'Shorten it or raise TOKEN_MAX_LIFETIME_SECONDS',
    );

  const apiKeyName = app.apiKey === undefined ? defaultKeyName : `${defaultKeyName}_${app.apiKey}`;
  if (apiKeyNames !== undefined && !apiKeyNames.has(apiKeyName)) {
    const named = [...apiKeyNames].filter((known) => known !== defaultKeyName).map(toSuffix);
    const nearest = app.apiKey === undefined ? undefined : closest(app.apiKey, named);
    compiler.report(
      app.apiKey === undefined ? path : [...path, 'apiKey'],
      `the data app "${name}" needs the setting ${apiKeyName}, which is not set`,
      nearest === undefined ? `Set ${apiKeyName} or ${apiKeyName}_FILE` : `Did you mean apiKey: ${nearest}`,
    );
  }

  const availability =
    app.when === undefined
      ? undefined
      : compiler.condition([...path, 'when'], app.when, { kind: 'availability', path: 'when' });
  const validations = (app.validations ?? []).flatMap(({ expression, message }, i): Validation[] => {
    const sitePath = `validations[${i}].expression`;
    const at = [...path, 'validations', i, 'expression'];
    const condition = compiler.condition(at, expression, { kind: 'validation', path: sitePath }, message);
    return condition === undefined ? [] : [{ condition, message }];
  });

  const patternAt = (name: string): Pattern | undefined =>
    options.patternAt([...path, name]) ?? options.patternAt([name]);
  const references: Reference[] = [];
  const body = compileRequest(
    {
      compiler,
      dataApp: name,
      root: [...path, 'request'],
      references,
      clientId: patternAt('clientIdPattern') ?? vendorClientId,
      filterText: filterTextRule(patternAt('filterValuePattern')),
      timeZone: options.timeZone,
    },
    app.request,
  );
  if (body === undefined) return undefined;

  return {
    name,
    position: document.positionOfKey(path),
    isDefault: app.default === true,
    apiKeyName,
    expiresInMs: seconds * 1000,
    withinAccessToken: app.withinAccessToken === true,
    availability,
    validations,
    references,
    // The schema defines the fields, and each is checked by its rule.
    buildRequest: computer(body) as unknown as DataAppPolicy['buildRequest'],
  };
}
