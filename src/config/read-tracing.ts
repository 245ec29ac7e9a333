// Reads the tracing settings from OpenTelemetry's variables ("Environment Variable Specification" and "OTLP Exporter
// Configuration"). Tracing is disabled unless an exporter is set. Invalid values stop the start, although the
// specification requires libraries to ignore them.
import { unreadableFile } from '../problem.ts';
import { Secret } from '../secrets/secret.ts';
import type { TracingSettings } from '../telemetry/tracing.ts';
import type { SettingReader } from './setting-reader.ts';

/** The variables of OpenTelemetry that this program reads; the specification has many more. */
export const tracingVariables: readonly string[] = [
  'OTEL_SDK_DISABLED',
  'OTEL_SERVICE_NAME',
  'OTEL_RESOURCE_ATTRIBUTES',
  'OTEL_TRACES_EXPORTER',
  'OTEL_TRACES_SAMPLER',
  'OTEL_TRACES_SAMPLER_ARG',
  ...['', 'TRACES_'].flatMap((signal) =>
    ['ENDPOINT', 'HEADERS', 'HEADERS_FILE', 'PROTOCOL', 'CERTIFICATE', 'TIMEOUT', 'COMPRESSION'].map(
      (name) => `OTEL_EXPORTER_OTLP_${signal}${name}`,
    ),
  ),
  ...['SCHEDULE_DELAY', 'MAX_QUEUE_SIZE', 'MAX_EXPORT_BATCH_SIZE', 'EXPORT_TIMEOUT'].map((name) => `OTEL_BSP_${name}`),
];

const samplers = ['always_on', 'always_off', 'traceidratio'] as const;
const defaultEndpoint = 'http://localhost:4318';
/** RFC 9110 §5.6.2 and §5.5: a name, and a value without line breaks. */
const headerName = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}$/;
const headerValue = /^[\x20-\x7E]{1,4096}$/;

function number(reader: SettingReader, name: string, min: number, max: number, fallback: number): number {
  const text = reader.raw(name);
  if (text === undefined) return fallback;
  const value = /^\d{1,10}(\.\d{1,10})?$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  reader.report(name, 'is not a number in range', `Set a number from ${min} to ${max}`);
  return fallback;
}

/** `key=value` pairs, comma-separated and percent-encoded, as the specification writes headers and attributes. */
function pairs(reader: SettingReader, name: string, text: string): readonly (readonly [string, string])[] {
  const found: [string, string][] = [];
  for (const pair of text.split(',')) {
    const [key = '', value] = pair.split(/=(.*)/s);
    if (pair.trim() === '') continue;
    try {
      if (key.trim() === '' || value === undefined) throw new Error('no pair');
      found.push([decodeURIComponent(key.trim()), decodeURIComponent(value.trim())]);
    } catch {
      reader.report(
        name,
        'is not a list of key=value',
        'Write it as key=value,key2=value2 with percent-encoded values',
      );
      return [];
    }
  }
  return found;
}

function readUrl(reader: SettingReader): string {
  const [name, path] =
    reader.raw('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT') === undefined
      ? (['OTEL_EXPORTER_OTLP_ENDPOINT', 'v1/traces'] as const)
      : (['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', ''] as const);
  const url = URL.parse(reader.raw(name) ?? defaultEndpoint);
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '') {
    reader.report(name, 'is not an http or https URL', `Write it as ${defaultEndpoint}`);
    return defaultEndpoint;
  }
  if (path !== '') url.pathname = `${url.pathname.replace(/\/+$/, '')}/${path}`;
  return url.href;
}

function readHeaders(reader: SettingReader): Readonly<Record<string, Secret>> {
  const headers: Record<string, Secret> = {};
  for (const name of ['OTEL_EXPORTER_OTLP_HEADERS', 'OTEL_EXPORTER_OTLP_TRACES_HEADERS']) {
    for (const [key, value] of pairs(reader, name, reader.fromFile(name)?.value.reveal() ?? '')) {
      if (headerName.test(key) && headerValue.test(value)) headers[key.toLowerCase()] = new Secret(value);
      else reader.report(name, 'has an invalid header', 'Check names and values of the headers');
    }
  }
  return headers;
}

function readSampler(reader: SettingReader): TracingSettings['sampler'] {
  const name = reader.raw('OTEL_TRACES_SAMPLER') ?? 'parentbased_always_on';
  const kind = samplers.find((candidate) => candidate === name.replace(/^parentbased_/, ''));
  if (kind === undefined) {
    const names = samplers.flatMap((sampler) => [sampler, `parentbased_${sampler}`]).join(', ');
    reader.report('OTEL_TRACES_SAMPLER', 'has an unknown value', `Set one of ${names}`);
  }
  return {
    kind: kind ?? 'always_off',
    ratio: number(reader, 'OTEL_TRACES_SAMPLER_ARG', 0, 1, 1),
    parentBased: name.startsWith('parentbased_'),
  };
}

function readCa(reader: SettingReader, readFile: (path: string) => Buffer): Buffer | undefined {
  const specific = reader.raw('OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE');
  const name = specific === undefined ? 'OTEL_EXPORTER_OTLP_CERTIFICATE' : 'OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE';
  const path = reader.raw(name);
  if (path === undefined) return undefined;
  try {
    return readFile(path);
  } catch (error) {
    const { problem, fix } = unreadableFile(error);
    return reader.report(name, `names a file that ${problem}`, fix);
  }
}

function refuseOtherProtocols(reader: SettingReader): void {
  const specific = reader.raw('OTEL_EXPORTER_OTLP_TRACES_PROTOCOL');
  const name = specific === undefined ? 'OTEL_EXPORTER_OTLP_PROTOCOL' : 'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL';
  const protocol = reader.raw(name) ?? 'http/json';
  if (protocol === 'http/json') return;
  const fix = 'Set OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/json and an endpoint for HTTP, mostly port 4318';
  reader.report(name, 'is an unsupported protocol', fix);
}

/** Undefined: tracing is off. Problems are reported to the reader. */
export function readTracing(reader: SettingReader, readFile: (path: string) => Buffer): TracingSettings | undefined {
  const { raw, report } = reader;
  const exporter = raw('OTEL_TRACES_EXPORTER');
  const endpoint = raw('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT') ?? raw('OTEL_EXPORTER_OTLP_ENDPOINT');
  if (raw('OTEL_SDK_DISABLED')?.toLowerCase() === 'true' || exporter === 'none') return undefined;
  if (exporter === undefined && endpoint === undefined) return undefined;
  if (exporter !== undefined && exporter !== 'otlp') {
    return report('OTEL_TRACES_EXPORTER', 'is an unsupported exporter', 'Set otlp, or none');
  }
  refuseOtherProtocols(reader);
  const signal = raw('OTEL_EXPORTER_OTLP_TRACES_COMPRESSION') === undefined ? '' : 'TRACES_';
  const compression = raw(`OTEL_EXPORTER_OTLP_${signal}COMPRESSION`) ?? 'none';
  // The exporter reads it itself.
  if (compression !== 'none' && compression !== 'gzip') {
    return report(`OTEL_EXPORTER_OTLP_${signal}COMPRESSION`, 'has an unknown value', 'Set none or gzip');
  }
  const timeout = raw('OTEL_EXPORTER_OTLP_TRACES_TIMEOUT') === undefined ? 'TIMEOUT' : 'TRACES_TIMEOUT';
  const ca = readCa(reader, readFile);
  const attributes = pairs(reader, 'OTEL_RESOURCE_ATTRIBUTES', raw('OTEL_RESOURCE_ATTRIBUTES') ?? '');
  const maxQueueSize = number(reader, 'OTEL_BSP_MAX_QUEUE_SIZE', 1, 65_536, 2_048);
  return {
    url: readUrl(reader),
    headers: readHeaders(reader),
    timeoutMs: number(reader, `OTEL_EXPORTER_OTLP_${timeout}`, 1, 60_000, 10_000),
    ca,
    sampler: readSampler(reader),
    serviceName: raw('OTEL_SERVICE_NAME') ?? Object.fromEntries(attributes)['service.name'] ?? 'guest-token-proxy',
    resourceAttributes: Object.fromEntries(attributes),
    batch: {
      delayMs: number(reader, 'OTEL_BSP_SCHEDULE_DELAY', 1, 60_000, 5_000),
      exportTimeoutMs: number(reader, 'OTEL_BSP_EXPORT_TIMEOUT', 1, 60_000, 30_000),
      maxQueueSize,
      maxBatchSize: Math.min(maxQueueSize, number(reader, 'OTEL_BSP_MAX_EXPORT_BATCH_SIZE', 1, 8_192, 512)),
    },
  };
}
