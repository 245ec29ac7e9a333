// Checks a response of the running service against openapi.yaml: status, headers and body.
import { parse as parseYaml } from 'yaml';
import { errorRow, errorTable, type ErrorCode } from '../../../src/errors.ts';
import type { DescribedResponse, Description } from './description.ts';

export interface Observed {
  readonly method: string;
  /** With or without a query. */
  readonly path: string;
  readonly listener: 'public' | 'admin';
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Headers of HTTP itself. All other headers must be described. */
const transportHeaders: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'content-type',
  'date',
  'keep-alive',
  'transfer-encoding',
]);

/** The responses that the description allows for such a request, except for protocol errors. */
export function describedResponses(description: Description, observed: Observed): readonly DescribedResponse[] {
  const path = observed.path.split(/[?#]/, 1)[0] ?? '';
  const here = description.operations.filter((one) => one.path === path && one.listeners.includes(observed.listener));
  const operation = here.find(({ method }) => method === observed.method);
  if (operation !== undefined) return operation.responses;
  const limited = observed.listener === 'public' ? [description.limitedAddress] : [];
  return [here.length > 0 ? description.otherMethod : description.unknownPath, ...limited];
}

/** One sentence for each difference between the response and the description. */
export function conformanceProblems(description: Description, observed: Observed): readonly string[] {
  const expected = describedResponses(description, observed);
  const problems = [expected, description.brokenProtocol].map((candidates) => {
    const response = candidates.find(({ status }) => status === observed.status);
    return response === undefined ? undefined : problemsOf(response, observed);
  });
  const described = problems.filter((list) => list !== undefined);
  if (described.length === 0) return [`${label(observed)}: the status is not described`];
  return described.find((list) => list.length === 0) ?? described[0] ?? [];
}

const label = ({ listener, method, path, status }: Observed): string => `${listener} ${method} ${path} → ${status}`;

function problemsOf(response: DescribedResponse, observed: Observed): readonly string[] {
  const problems: string[] = [];
  const say = (what: string): void => void problems.push(`${label(observed)}: ${what}`);

  for (const { name, required, accepts } of response.headers) {
    const value = observed.headers[name];
    if (value === undefined) {
      if (required) say(`the header ${name} is missing`);
    } else if (!accepts(value)) say(`the header ${name} has the value ${JSON.stringify(value)}`);
  }
  for (const name of Object.keys(observed.headers)) {
    const described = response.headers.some((header) => header.name === name);
    if (!described && !transportHeaders.has(name)) say(`the header ${name} is not described`);
  }

  const { content } = response;
  if (observed.method === 'HEAD') {
    if (observed.body !== '') say('there is a body');
  } else if (content === undefined) {
    if (observed.body !== '') say('there is a body, and none is described');
  } else {
    const mediaType = observed.headers['content-type']?.split(';')[0];
    if (mediaType !== content.mediaType) say(`the media type is ${mediaType ?? 'absent'}`);
    const body = readBody(content.mediaType, observed.body);
    if (!content.accepts(body)) say(`the body is ${(JSON.stringify(body) ?? 'unreadable').slice(0, 500)}`);
    if (content.codes.length > 0) problems.push(...errorProblems(observed, body));
  }
  return problems;
}

/** Checks against the error table: message, challenge, Retry-After, and the request id in both places. */
function errorProblems(observed: Observed, body: unknown): readonly string[] {
  const { code, requestId, message } =
    (body as { error?: { code?: string; requestId?: string; message?: string } } | undefined)?.error ?? {};
  if (code === undefined || !Object.hasOwn(errorTable, code)) return [`${label(observed)}: there is no known code`];
  const row = errorRow(code as ErrorCode);
  const challenge =
    row.challenge === undefined ? undefined : row.challenge === 'bare' ? 'Bearer' : `Bearer error="${row.challenge}"`;
  const problems: string[] = [];
  // A fixed message cannot repeat input, a stack or text of a library. Only a policy may have another message.
  if (message !== row.message && code !== 'ACCESS_DENIED')
    problems.push(`${label(observed)}: the message is not ${code}'s sentence`);
  if (observed.headers['www-authenticate'] !== challenge)
    problems.push(`${label(observed)}: the challenge is not ${code}'s`);
  if (observed.headers['x-request-id'] !== requestId) problems.push(`${label(observed)}: two request ids`);
  if (!row.retryable && observed.headers['retry-after'] !== undefined) {
    problems.push(`${label(observed)}: Retry-After, though ${code} is not to be retried`);
  }
  return problems;
}

/** The body as a client of that media type reads it. */
function readBody(mediaType: string, text: string): unknown {
  if (mediaType === 'application/json') return parseJson(text);
  return mediaType === 'application/yaml' ? (parseYaml(text) as unknown) : text;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
