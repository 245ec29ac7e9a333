// Traces (OpenTelemetry, W3C Trace Context): one span for a request for a guest token and one for each of its steps.
// The libraries are only loaded if tracing is enabled. Attributes are codes and the request id: no claim, token, key or
// error message.
import type { Span, SpanContext } from '@opentelemetry/api';
import type { SpanExporter } from '@opentelemetry/sdk-trace';
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Mint } from '../databrain/mint.ts';
import { errorRow, ServiceError } from '../errors.ts';
import type { SharedTokens } from '../guest-token/mint-across-replicas.ts';
import type { Secret } from '../secrets/secret.ts';
import { version } from '../version.ts';

export type StepName = 'verify' | 'decide' | 'store' | 'mint';

/** Runs a step as a span; it ends when the step returns, throws, or its promise settles. */
export type Step = <T>(name: StepName, run: () => T) => T;

export interface IncomingRequest {
  readonly method: string;
  /** The route's path, never the requested path. */
  readonly route: string;
  readonly requestId: string;
  readonly traceparent: string | string[] | undefined;
  readonly tracestate: string | string[] | undefined;
  /** Whether the peer is a trusted proxy: its trace is continued. Other traces are only linked. */
  readonly isTrusted: boolean;
}

export interface RequestTrace {
  readonly traceId: string;
  readonly step: Step;
  /** Runs a function whose steps belong to this request. */
  readonly within: <T>(run: () => T) => T;
  /** @param outcome `ISSUED` or the error code */
  readonly end: (outcome: string, status: number) => void;
}

export interface Tracing {
  readonly begin: (request: IncomingRequest) => RequestTrace;
  /** Creates a child span of the current request or step. Without one, only runs the step. */
  readonly step: Step;
  /** The `traceparent` header for a call in the current step. */
  readonly traceparent: () => string | undefined;
  /** Sends the remaining spans, within a time limit. */
  readonly close: () => Promise<void>;
}

export interface TracingSettings {
  /** Of the traces, as OTLP over HTTP. */
  readonly url: string;
  readonly headers: Readonly<Record<string, Secret>>;
  /** For one export. */
  readonly timeoutMs: number;
  /** PEM; by default the CA certificates of Node. */
  readonly ca?: Buffer | undefined;
  readonly sampler: {
    readonly kind: 'always_on' | 'always_off' | 'traceidratio';
    readonly ratio: number;
    /** Whether the sampling decision of a trusted caller is used. */
    readonly parentBased: boolean;
  };
  readonly serviceName: string;
  readonly resourceAttributes: Readonly<Record<string, string>>;
  readonly batch: {
    readonly delayMs: number;
    readonly exportTimeoutMs: number;
    readonly maxQueueSize: number;
    readonly maxBatchSize: number;
  };
}

interface TracingOptions {
  readonly settings: TracingSettings;
  /** Called once per batch; `errorCode` if it could not be sent. */
  readonly onExport: (spans: number, errorCode?: string) => void;
}

const closeWithinMs = 2_000;
const safeCode = /^[A-Z][A-Z0-9_]{1,63}$/;

const isSampled = ({ traceFlags }: SpanContext): boolean => (traceFlags & 1) === 1;

const isPromise = (value: unknown): value is Promise<unknown> => value instanceof Promise;

/** Node's code of a connection error, or the collector's HTTP status. */
function codeOf(error: unknown): string {
  const { code } = error as { readonly code?: unknown };
  if (typeof code === 'number') return String(code);
  return typeof code === 'string' && safeCode.test(code) ? code : 'unknown error';
}

const loadLibraries = async () => {
  const [api, core, resources, sdk, { OTLPTraceExporter }] = await Promise.all([
    import('@opentelemetry/api'),
    import('@opentelemetry/core'),
    import('@opentelemetry/resources'),
    import('@opentelemetry/sdk-trace'),
    import('@opentelemetry/exporter-trace-otlp-http'),
  ]);
  return { ...api, ...core, ...resources, ...sdk, OTLPTraceExporter };
};

type Libraries = Awaited<ReturnType<typeof loadLibraries>>;

/** An exporter that reports its results. */
const observed = (
  exporter: SpanExporter,
  { ExportResultCode }: Libraries,
  onExport: TracingOptions['onExport'],
): SpanExporter => ({
  export: (spans, done) =>
    exporter.export(spans, (result) => {
      if (result.code === ExportResultCode.SUCCESS) onExport(spans.length);
      else onExport(spans.length, codeOf(result.error));
      done(result);
    }),
  shutdown: () => exporter.shutdown(),
});

function createProvider(libraries: Libraries, { settings, onExport }: TracingOptions) {
  const { sampler, batch } = settings;
  const root = {
    always_on: () => new libraries.AlwaysOnSampler(),
    always_off: () => new libraries.AlwaysOffSampler(),
    traceidratio: () => new libraries.TraceIdRatioBasedSampler(sampler.ratio),
  }[sampler.kind]();
  const exporter = new libraries.OTLPTraceExporter({
    url: settings.url,
    headers: Object.fromEntries(Object.entries(settings.headers).map(([name, value]) => [name, value.reveal()])),
    timeoutMillis: settings.timeoutMs,
    httpAgentOptions: {
      keepAlive: true,
      maxSockets: 2,
      // Explicit, because NODE_TLS_REJECT_UNAUTHORIZED would change the default.
      ...(settings.url.startsWith('https:') && { rejectUnauthorized: true, ...(settings.ca && { ca: settings.ca }) }),
    },
  });
  return new libraries.TracerProvider({
    sampler: sampler.parentBased ? new libraries.ParentBasedSampler({ root }) : root,
    resource: libraries.resourceFromAttributes({
      'service.version': version,
      ...settings.resourceAttributes,
      'service.name': settings.serviceName,
    }),
    spanProcessors: [
      new libraries.BatchSpanProcessor({
        exporter: observed(exporter, libraries, onExport),
        scheduledDelayMillis: batch.delayMs,
        exportTimeoutMillis: batch.exportTimeoutMs,
        maxQueueSize: batch.maxQueueSize,
        maxExportBatchSize: batch.maxBatchSize,
      }),
    ],
  });
}

/** Loads the libraries and starts tracing. */
export async function createTracing(options: TracingOptions): Promise<Tracing> {
  const libraries = await loadLibraries();
  const { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, isSpanContextValid, parseTraceParent, TraceState } = libraries;
  const provider = createProvider(libraries, options);
  const tracer = provider.getTracer('guest-token-proxy', version);
  const current = new AsyncLocalStorage<Span>();

  function endWith(span: Span, error?: unknown): void {
    if (error instanceof ServiceError) {
      span.setAttribute('guest_token.outcome', error.code);
      if (errorRow(error.code).status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
    } else if (error !== undefined) {
      span.setAttribute('error.type', error instanceof Error ? error.constructor.name : typeof error);
      span.setStatus({ code: SpanStatusCode.ERROR });
    }
    span.end();
  }

  function stepBelow<T>(parent: Span | undefined, name: StepName, run: () => T): T {
    if (parent === undefined) return run();
    // Without its recording state: a renewal continues after its request has ended, and still belongs to it.
    if (!isSampled(parent.spanContext())) return current.run(parent, run);
    const kind = name === 'mint' || name === 'store' ? SpanKind.CLIENT : SpanKind.INTERNAL;
    const span = tracer.startSpan(name, { kind }, trace.setSpan(ROOT_CONTEXT, parent));
    let result: T;
    try {
      result = current.run(span, run);
    } catch (error) {
      endWith(span, error);
      throw error;
    }
    if (isPromise(result)) {
      result.then(
        () => endWith(span),
        (error: unknown) => endWith(span, error),
      );
    } else endWith(span);
    return result;
  }

  /** The caller's span context; undefined if it sent no valid one. */
  function remoteContext({ traceparent, tracestate, isTrusted }: IncomingRequest): SpanContext | undefined {
    const parsed = typeof traceparent === 'string' ? parseTraceParent(traceparent) : null;
    if (parsed === null || !isSpanContextValid(parsed)) return undefined;
    const state = isTrusted && typeof tracestate === 'string' ? { traceState: new TraceState(tracestate) } : {};
    return { ...parsed, isRemote: true, ...state };
  }

  return {
    begin: (request) => {
      const remote = remoteContext(request);
      const parent =
        remote !== undefined && request.isTrusted ? trace.setSpanContext(ROOT_CONTEXT, remote) : ROOT_CONTEXT;
      const span = tracer.startSpan(
        'request',
        {
          kind: SpanKind.SERVER,
          attributes: {
            'http.request.method': request.method,
            'http.route': request.route,
            'guest_token.request_id': request.requestId,
          },
          links: remote === undefined || request.isTrusted ? [] : [{ context: remote }],
        },
        parent,
      );
      return {
        traceId: span.spanContext().traceId,
        step: (name, run) => stepBelow(span, name, run),
        within: (run) => current.run(span, run),
        end: (outcome, status) => {
          span.setAttributes({ 'guest_token.outcome': outcome, 'http.response.status_code': status });
          if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
          span.end();
        },
      };
    },
    step: (name, run) => stepBelow(current.getStore(), name, run),
    traceparent: () => {
      const context = current.getStore()?.spanContext();
      if (context === undefined || !isSpanContextValid(context)) return undefined;
      return `00-${context.traceId}-${context.spanId}-${isSampled(context) ? '01' : '00'}`;
    },
    close: async () => {
      let timeUp: NodeJS.Timeout | undefined;
      const end = new Promise((resolve) => (timeUp = setTimeout(resolve, closeWithinMs)));
      await Promise.race([provider.shutdown().catch(() => undefined), end]);
      clearTimeout(timeUp);
    },
  };
}

/** Adds a span to each call of `mint`; `traceStore` does the same for the shared token store. Only with tracing. */
export const traceMint =
  (mint: Mint, step: Step): Mint =>
  (...request) =>
    step('mint', () => mint(...request));

export const traceStore = (store: SharedTokens, step: Step): SharedTokens => ({
  ...store,
  get: (...request) => step('store', () => store.get(...request)),
  getAnyway: (...request) => step('store', () => store.getAnyway(...request)),
  put: (...request) => step('store', () => store.put(...request)),
  lock: (...request) => step('store', () => store.lock(...request)),
});
