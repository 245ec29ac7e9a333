// OTEL_… variables: when tracing is on, where traces go, and what stops the start.
import { describe, expect, it } from 'vitest';
import { createSettingReader } from '../../../src/config/setting-reader.ts';
import { readTracing, tracingVariables } from '../../../src/config/read-tracing.ts';
import type { Problem } from '../../../src/problem.ts';

function read(env: Record<string, string>) {
  const problems: Problem[] = [];
  const readFile = (path: string): Buffer => {
    if (path === '/ca.pem') return Buffer.from('a certificate');
    throw Object.assign(new Error('no'), { code: 'ENOENT' });
  };
  const config = readTracing(createSettingReader(env, readFile, problems), readFile);
  return { config, wrong: problems.map(({ location }) => location) };
}

const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };

describe('tracing', () => {
  it.each<[string, Record<string, string>, boolean]>([
    ['nothing is set', {}, false],
    ['only a service name is set', { OTEL_SERVICE_NAME: 'x' }, false],
    ['an endpoint is set', endpoint, true],
    ['an endpoint for traces is set', { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://collector/x' }, true],
    ['the exporter is otlp', { OTEL_TRACES_EXPORTER: 'otlp' }, true],
    ['the exporter is none', { ...endpoint, OTEL_TRACES_EXPORTER: 'none' }, false],
    ['the SDK is disabled', { ...endpoint, OTEL_SDK_DISABLED: 'TRUE' }, false],
  ])('when %s: %o → %s', (_what, env, on) => {
    const { config, wrong } = read(env);
    expect(config !== undefined).toBe(on);
    expect(wrong).toEqual([]);
  });

  it('appends the standard path to the general endpoint, and uses the traces endpoint unchanged', () => {
    expect(read({ OTEL_TRACES_EXPORTER: 'otlp' }).config?.url).toBe('http://localhost:4318/v1/traces');
    expect(read({ OTEL_EXPORTER_OTLP_ENDPOINT: 'https://c.example/otlp/' }).config?.url).toBe(
      'https://c.example/otlp/v1/traces',
    );
    const own = { ...endpoint, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://c.example/traces' };
    expect(read(own).config?.url).toBe('https://c.example/traces');
  });

  it('decodes headers and attributes, prefers those for traces, and keeps headers secret', () => {
    const { config } = read({
      ...endpoint,
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20first, X-Team=a%3Db',
      OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'authorization=Bearer%20second',
      OTEL_RESOURCE_ATTRIBUTES: 'service.name=proxy,deployment.environment.name=prod',
    });
    const headers = Object.entries(config?.headers ?? {}).map(([name, value]) => [name, value.reveal()]);
    expect(headers).toEqual([
      ['authorization', 'Bearer second'],
      ['x-team', 'a=b'],
    ]);
    expect(JSON.stringify(config)).not.toContain('second');
    expect(config?.serviceName).toBe('proxy');
    expect(config?.resourceAttributes).toMatchObject({ 'deployment.environment.name': 'prod' });
  });

  it('follows the decision of the parent and traces everything else, by default', () => {
    expect(read(endpoint).config?.sampler).toEqual({ kind: 'always_on', ratio: 1, parentBased: true });
    const env = { ...endpoint, OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.25' };
    expect(read(env).config?.sampler).toEqual({ kind: 'traceidratio', ratio: 0.25, parentBased: true });
    expect(read({ ...endpoint, OTEL_TRACES_SAMPLER: 'always_on' }).config?.sampler.parentBased).toBe(false);
  });

  it.each([
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'collector:4318'],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'https://user:password@collector'],
    ['OTEL_EXPORTER_OTLP_PROTOCOL', 'grpc'],
    ['OTEL_EXPORTER_OTLP_COMPRESSION', 'zstd'],
    ['OTEL_EXPORTER_OTLP_TRACES_COMPRESSION', 'zstd'],
    ['OTEL_EXPORTER_OTLP_TIMEOUT', 'soon'],
    ['OTEL_TRACES_EXPORTER', 'jaeger'],
    ['OTEL_TRACES_SAMPLER', 'sometimes'],
    ['OTEL_TRACES_SAMPLER_ARG', '30%'],
    ['OTEL_TRACES_SAMPLER_ARG', '1.5'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'no pair'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'name=line%0Abreak'],
    ['OTEL_EXPORTER_OTLP_CERTIFICATE', '/nowhere'],
    ['OTEL_RESOURCE_ATTRIBUTES', 'a=%zz'],
    ['OTEL_BSP_MAX_QUEUE_SIZE', '0'],
  ])('stops the start with %s=%s', (name, value) => {
    expect(read({ ...endpoint, [name]: value }).wrong).toEqual([name]);
  });

  it('reads the variables of its list, against which misspelt names are compared', () => {
    const requested = new Set<string>();
    const get = (target: Readonly<Record<string, string>>, name: string): string | undefined => {
      requested.add(name);
      return target[name];
    };
    const env = new Proxy<Record<string, string>>({ OTEL_TRACES_EXPORTER: 'otlp' }, { get });
    read(env);
    expect([...requested].sort()).toEqual([...tracingVariables].sort());
  });

  it('ignores all tracing variables while it is disabled', () => {
    expect(read({ OTEL_TRACES_EXPORTER: 'none', OTEL_TRACES_SAMPLER: 'sometimes' }).wrong).toEqual([]);
  });
});
