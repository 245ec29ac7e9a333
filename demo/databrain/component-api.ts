// The calls of the vendor's web component (@databrainhq/plugin 0.12.9), which a browser sends from another origin.
// `GET /dashboard` and `GET /dashboard/embeddedMetric` contain the guest token; the calls for rows contain no token,
// so the simulation enforces the rights of the token with the handle in its reply (component-handles.ts).
import type { IncomingHttpHeaders } from 'node:http';
import type { Embed } from './catalogue.ts';
import { dashboardResponse, metricResponse, rowsResponse } from './component-responses.ts';
import { createComponentHandles } from './component-handles.ts';
import { showDashboard } from './dashboard.ts';
import type { GuestTokenBody } from './guest-token-body.ts';
import type { GuestTokens } from './guest-tokens.ts';

/** A call of the component, with its reply. */
export interface ComponentCall {
  readonly path: string;
  readonly token?: string;
  /** The handle in the request or in the answer. */
  readonly handle?: string;
  readonly metricId?: string;
  readonly status: number;
}

export interface ComponentRequest {
  /** Method, space, path below the prefix. */
  readonly route: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: unknown;
}

export interface ComponentApi {
  /** Undefined if the component has no such call. */
  readonly respond: (request: ComponentRequest) => { readonly status: number; readonly body: object } | undefined;
  readonly paths: ReadonlySet<string>;
  readonly calls: readonly ComponentCall[];
}

interface ComponentApiOptions {
  readonly tokens: GuestTokens;
  readonly embedsOf: (dataAppName: string) => readonly Embed[];
  /** The maximum number of remembered handles and calls. */
  readonly keep: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

type Outcome = Omit<ComponentCall, 'path'> & { readonly body: object };

const refuse = (status: number, message: string, rest: Omit<ComponentCall, 'path' | 'status'> = {}): Outcome => ({
  ...rest,
  status,
  body: { error: { message } },
});

const memberOf = (body: unknown, name: string): unknown =>
  typeof body === 'object' && body !== null ? new Map(Object.entries(body)).get(name) : undefined;

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

export function createComponentApi({ tokens, embedsOf, keep, now }: ComponentApiOptions): ComponentApi {
  const handles = createComponentHandles(keep, now);
  const calls: ComponentCall[] = [];

  const mayOpen = ({ params }: GuestTokenBody, embedId: string): boolean =>
    params?.allowedEmbeds?.includes(embedId) ?? true;
  /** The embed that shows the metric and is open to these rights. */
  const embedOfMetric = (body: GuestTokenBody, metricId: string): Embed | undefined =>
    embedsOf(body.dataAppName).find((embed) => embed.metricIds.includes(metricId) && mayOpen(body, embed.embedId));

  const openDashboard = ({ headers, query }: ComponentRequest): Outcome => {
    const token = textOf(headers['x-plugin-token']);
    const embedId = query.get('dashboardId') ?? '';
    const admission = tokens.admit(token, embedId);
    if (admission.kind === 'refused') return refuse(admission.status, admission.reason, { token });
    const embed = embedsOf(admission.body.dataAppName).find((candidate) => candidate.embedId === embedId);
    if (embed === undefined) return refuse(404, 'There is no such embed.', { token });
    const handle = handles.give(admission.body, admission.expiresAt);
    return { status: 200, token, handle, body: { data: dashboardResponse(embed, admission.body, handle) } };
  };

  const openMetric = ({ headers, query }: ComponentRequest): Outcome => {
    const token = textOf(headers['x-plugin-token']);
    const metricId = query.get('metricId') ?? '';
    const admission = tokens.admit(token);
    if (admission.kind === 'refused') return refuse(admission.status, admission.reason, { token });
    if (embedOfMetric(admission.body, metricId) === undefined)
      return refuse(403, 'This guest token does not open this metric.', { token, metricId });
    const handle = handles.give(admission.body, admission.expiresAt);
    return { status: 200, token, handle, metricId, body: { data: metricResponse(metricId, handle) } };
  };

  const queryRows = ({ body }: ComponentRequest): Outcome => {
    const handle = textOf(memberOf(body, 'clientId'));
    const metricId = textOf(memberOf(body, 'id'));
    const rights = handles.take(handle);
    if (rights === undefined) return refuse(401, 'No guest token with these rights is alive.', { handle, metricId });
    const embed = embedOfMetric(rights, metricId);
    if (embed === undefined) return refuse(403, 'This guest token does not open this metric.', { handle, metricId });
    const rows = showDashboard(embed, rights).metrics.find((metric) => metric.metricId === metricId)?.rows ?? [];
    return { status: 200, handle, metricId, body: { data: rowsResponse(metricId, rows) } };
  };

  const layout = ({ query }: ComponentRequest): Outcome => {
    const handle = query.get('clientId') ?? '';
    if (handles.take(handle) === undefined)
      return refuse(401, 'No guest token with these rights is alive.', { handle });
    return { status: 200, handle, body: { data: { layout: [], isLocked: false } } };
  };

  const handlers = new Map<string, (request: ComponentRequest) => Outcome>([
    ['GET /api/v2/dashboard', openDashboard],
    ['GET /api/v2/dashboard/embeddedMetric', openMetric],
    ['POST /api/v2/metric/query', queryRows],
    ['GET /api/v2/metric/layout', layout],
  ]);

  return {
    paths: new Set([...handlers.keys()].map((route) => route.split(' ')[1] ?? '')),
    calls,
    respond(request) {
      const outcome = handlers.get(request.route)?.(request);
      if (outcome === undefined) return undefined;
      const { body, ...call } = outcome;
      calls.push({ path: request.route.split(' ')[1] ?? '', ...call });
      if (calls.length > keep) calls.shift();
      return { status: outcome.status, body };
    },
  };
}
