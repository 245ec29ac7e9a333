// Finds rules that are valid but probably a mistake: warnings, and errors with `check --strict`.
import type { Problem } from '../../problem.ts';
import { durationSeconds, type DataAppDocument } from '../document/policy-schema.ts';
import { expressionIn } from '../document/field-schema.ts';
import { filterLists } from '../upstream-request.ts';
import { noTenancy } from './value-rules.ts';
import type { Path, YamlDocument } from '../../strict-yaml.ts';
import type { ExpressionSite } from '../expression/decision-trace.ts';

interface FilterEntry {
  readonly when?: string;
  readonly values: Readonly<Record<string, unknown>>;
  readonly isShowOnUrl?: unknown;
}

/** Of `params`: its lists of filters, by name. Other members are not read as such. */
type FilterLists = Readonly<Record<string, readonly FilterEntry[] | undefined>>;

const longLifetimeSeconds = 86_400;

const holdsExpression = (value: unknown): boolean =>
  expressionIn(value) !== undefined ||
  (typeof value === 'object' && value !== null && Object.values(value).some(holdsExpression));

function lintDataApp(name: string, app: DataAppDocument, document: YamlDocument): Problem[] {
  const found: Problem[] = [];
  const path = ['dataApps', name];
  const warn = (at: Path, problem: string, fix: string): void =>
    void found.push({ location: document.positionOf(at), problem, fix });

  const params = (app.request['params'] ?? {}) as FilterLists;
  const dashboardFilters = params['dashboardAppFilters'] ?? [];
  const inParams = (...below: Path): Path => [...path, 'request', 'params', ...below];

  if (params['allowedEmbeds'] === undefined) {
    if (dashboardFilters.length > 0)
      warn(
        inParams('dashboardAppFilters'),
        'dashboardAppFilters without allowedEmbeds: other dashboards of the data app show unfiltered data',
        'Name the embeds under params.allowedEmbeds',
      );
    else
      found.push({
        location: document.positionOfKey([...path, 'request']),
        problem: `no allowedEmbeds: a token of "${name}" opens every embed of the data app`,
        fix: 'Name the embeds under params.allowedEmbeds',
      });
  }

  for (const [i, entry] of dashboardFilters.entries())
    if (entry.isShowOnUrl !== false && holdsExpression(entry.values))
      warn(
        inParams('dashboardAppFilters', i),
        'a filter with a value from a claim has no isShowOnUrl: false, so the user can see and change the value in the page’s address',
        'Add isShowOnUrl: false',
      );

  if (durationSeconds(app.expiresIn) > longLifetimeSeconds)
    warn([...path, 'expiresIn'], 'expiresIn is over 24 h, and a guest token cannot be revoked', 'Shorten it');

  if (app.request['clientId'] === noTenancy)
    for (const list of filterLists) {
      const entries = params[list] ?? [];
      if (entries.length > 0 && entries.every(({ when }) => when !== undefined))
        warn(
          inParams(list),
          `every entry of ${list} has a when, and clientId is None: a user for whom none is true sees unfiltered data`,
          'Add an entry without when, or a validation that one of them is true',
        );
    }
  return found;
}

export function lintPolicy(
  dataApps: Readonly<Record<string, DataAppDocument>>,
  sites: readonly ExpressionSite[],
  document: YamlDocument,
): readonly Problem[] {
  const used = new Set(sites.flatMap(({ variables }) => variables));
  const unused = sites.filter(({ kind, path }) => kind === 'variable' && !used.has(path.slice('variables.'.length)));
  return [
    ...unused.map(({ path, position }) => ({
      location: position,
      problem: `${path} is never used`,
      fix: 'Remove it or use it',
    })),
    ...Object.entries(dataApps).flatMap(([name, app]) => lintDataApp(name, app, document)),
  ];
}
