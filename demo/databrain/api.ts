// The three calls of the vendor's API, from headers and parsed body to a reply: checks the limit and the key first.
import type { IncomingMessage } from 'node:http';
import { isRefusal, toReply, type Reply } from './reply.ts';
import type { ApiKeys } from './api-keys.ts';
import { salesEmbeds, type Embed } from './catalogue.ts';
import { readGuestTokenBody } from './guest-token-body.ts';
import type { GuestTokens } from './guest-tokens.ts';
import { countedAddress } from './rate-limit.ts';
import { refuse, type RefusalCode } from './refusal.ts';

interface ApiOptions {
  readonly apiKeys: ApiKeys;
  readonly tokens: GuestTokens;
  readonly withinLimit: (address: string) => boolean;
  /** The embeds of a data app; undefined: ids are not checked. */
  readonly embedsOf: (dataAppName: string) => readonly Embed[] | undefined;
  readonly datasources: Readonly<Record<string, readonly string[]>>;
  readonly unknownParams: readonly string[];
}

type Call = (dataAppOfKey: string, body: unknown, authorization: string) => Reply;

export interface Api {
  /** @param route method, space and path; returns undefined for an unknown route */
  readonly respond: (request: IncomingMessage, route: string, body: unknown) => Reply | undefined;
  readonly refuseNext: (code: RefusalCode, times?: number) => void;
}

export function createApi({ apiKeys, tokens, withinLimit, embedsOf, datasources, unknownParams }: ApiOptions): Api {
  const scripted: RefusalCode[] = [];

  const createGuestToken: Call = (dataAppOfKey, body) => {
    const accepted = readGuestTokenBody(body, { embeds: embedsOf(dataAppOfKey), unknownParams });
    if (isRefusal(accepted)) return toReply(accepted);
    const { dataAppName, datasourceName } = accepted;
    if (!apiKeys.dataAppNames.has(dataAppName)) return toReply(refuse('DATA_APP_ID_ERROR', 'Data app does not exist'));
    if (dataAppName !== dataAppOfKey)
      return toReply(refuse('AUTHENTICATION_ERROR', 'API key does not belong to this data app'));
    const sources = datasources[dataAppName] ?? [];
    if (sources.length > 1 && datasourceName === undefined)
      return toReply(refuse('INVALID_REQUEST_BODY', '"datasourceName" is required'));
    if (sources.length > 0 && datasourceName !== undefined && !sources.includes(datasourceName))
      return toReply(refuse('WORKSPACE_ID_ERROR', 'Data source does not exist in the workspace'));
    const token = tokens.create(accepted);
    return { status: 200, token, body: { token } };
  };

  const listEmbeds: Call = (dataAppName) => ({
    status: 200,
    body: {
      data: (embedsOf(dataAppName) ?? salesEmbeds).map(({ embedId, dashboardId }) => ({
        embedId,
        embedMetadata: { dataAppName },
        externalDashboard: { externalDashboardId: dashboardId },
      })),
      error: null,
    },
  });

  const rotateKey: Call = (_dataApp, body, authorization) => {
    const expireAt = typeof body === 'object' && body !== null && 'expireAt' in body ? body.expireAt : undefined;
    const graceSeconds = typeof expireAt === 'number' || typeof expireAt === 'string' ? Number(expireAt) : NaN;
    if (!(graceSeconds >= 0)) return toReply(refuse('INVALID_REQUEST_BODY', '"expireAt" must be a number'));
    return { status: 200, body: { key: apiKeys.rotate(authorization, graceSeconds) } };
  };

  const calls = new Map<string, Call>([
    ['POST /api/v2/guest-token/create', createGuestToken],
    ['GET /api/v2/data-app/embeds', listEmbeds],
    ['POST /api/v2/data-app/rotate-api', rotateKey],
  ]);

  return {
    respond(request, route, body) {
      const call = calls.get(route);
      if (call === undefined) return undefined;
      if (!withinLimit(countedAddress(request)))
        return toReply(refuse('RATE_LIMIT_EXCEEDED', 'Too many requests, please try again later.'));
      const next = scripted.shift();
      if (next !== undefined) return toReply(refuse(next, 'Scripted refusal'));
      const { authorization } = request.headers;
      const dataAppOfKey = apiKeys.authenticate(authorization);
      if (typeof dataAppOfKey !== 'string') return toReply(dataAppOfKey);
      return { dataAppOfKey, ...call(dataAppOfKey, body, authorization ?? '') };
    },
    refuseNext: (code, times = 1) => {
      for (let left = times; left > 0; left -= 1) scripted.push(code);
    },
  };
}
