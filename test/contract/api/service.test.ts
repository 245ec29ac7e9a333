// Compares the running service with openapi.yaml: every described response occurs, and every response is described.
import { beforeAll, describe, expect, it } from 'vitest';
import { errorRow, type ErrorCode } from '../../../src/errors.ts';
import { conformanceProblems, describedResponses, type Observed } from './conformance.ts';
import { readDescription } from './description.ts';
import { observeOthers, provocations, startDatabrain } from './provocations.ts';
import { apiKey, startService } from './running-service.ts';

const description = readDescription();
const codeOf = ({ body }: Observed): string | undefined =>
  body.startsWith('{"error"') ? (JSON.parse(body) as { error: { code: string } }).error.code : undefined;

describe('the running service', () => {
  const observed: Observed[] = [];
  const byCode = new Map<string, Observed>();

  beforeAll(async () => {
    for (const [code, provoke] of Object.entries(provocations)) {
      const answer = await provoke();
      byCode.set(code, answer);
      observed.push(answer);
    }
    observed.push(...(await observeOthers()));
  }, 60_000);

  it.each(Object.keys(provocations) as ErrorCode[])('answers %s as described when it is provoked', (code) => {
    const answer = byCode.get(code);
    expect(
      answer && { status: answer.status, code: codeOf(answer) },
      `make provocations.${code} in test/contract/api/provocations.ts cause this code`,
    ).toEqual({ status: errorRow(code).status, code });
    expect(answer && conformanceProblems(description, answer)).toEqual([]);
    expect(answer?.body).not.toContain(apiKey);
  });

  it('never answers anything undescribed', () => {
    expect(observed.flatMap((answer) => conformanceProblems(description, answer))).toEqual([]);
  });

  it('answers with every described status and code', () => {
    const seen = new Set(
      observed.map((answer) => `${answer.method} ${answer.path} ${answer.status} ${codeOf(answer) ?? ''}`.trim()),
    );
    const promised = description.operations.flatMap(({ method, path, responses }) =>
      responses.flatMap(({ status, content }) => {
        const codes = method === 'HEAD' || content === undefined || content.codes.length === 0 ? [''] : content.codes;
        return codes.map((code) => `${method} ${path} ${status} ${code}`.trim());
      }),
    );
    expect(promised.filter((one) => !seen.has(one))).toEqual([]);
  });

  it('sends every described header', () => {
    const seen = new Set(
      observed.flatMap((answer) => {
        const response = describedResponses(description, answer).find(({ status }) => status === answer.status);
        return Object.keys(response === undefined ? {} : answer.headers).map((name) => `${answer.status} ${name}`);
      }),
    );
    const promised = description.operations.flatMap(({ responses }) =>
      responses.flatMap(({ status, headers }) => headers.map(({ name }) => `${status} ${name}`)),
    );
    expect([...new Set(promised)].filter((one) => !seen.has(one))).toEqual([]);
  });
});

describe('the public listener', () => {
  it('has exactly the described routes', async () => {
    const databrain = await startDatabrain();
    const service = await startService({ databrainUrl: databrain.url });
    // A tree: a longer path is below its prefix.
    const above: string[] = [];
    const routes = service.routes.split('\n').flatMap((line) => {
      const [, indent = '', part = '', methods = ''] = /^(.*)[├└]── (\S+) \(([A-Z, ]+)\)/.exec(line) ?? [];
      if (part === '' || part === '*') return [];
      const depth = indent.length / 4;
      above[depth] = (above[depth - 1] ?? '') + part;
      return methods.split(', ').map((method) => `${method} ${above[depth] ?? ''}`);
    });
    await service.stop();
    await databrain.close();
    const described = description.operations
      .filter(({ listeners }) => listeners.includes('public'))
      .map(({ method, path }) => `${method} ${path}`);
    expect(routes.sort()).toEqual(described.sort());
  });
});
