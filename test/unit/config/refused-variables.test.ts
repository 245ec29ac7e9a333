import { describe, expect, it } from 'vitest';
import { tracingVariables } from '../../../src/config/read-tracing.ts';
import { unknownVariables } from '../../../src/config/refused-variables.ts';

const refused = (...names: string[]): readonly string[] =>
  unknownVariables(Object.fromEntries(names.map((name) => [name, 'x']))).map(({ location }) => location);

describe('a variable that is similar to a setting', () => {
  it.each([
    'TRUST_PROXIES',
    'TRUSTED_PROXY',
    'TRUST_PROXYS',
    'REDIS_URI',
    'REDISURL',
    'LOGLEVEL',
    'log_level',
    'JWT_AUDIENCES',
    'DATABRAIN_TIMEOUT',
    'CORS_ORIGIN',
    'INSECURE_DATABRAIN',
    'NO_PROXIES',
    'NO_PROX',
    'NO_PRXY',
    'AMIN_PORT',
    'ADMN_PORT',
    'ADMIN_PROT',
    'OTLE_SERVICE_NAME',
    'OTE_EXPORTER_OTLP_ENDPOINT',
    'NOPROXY',
    'HTTPPROXY',
    'HTTPS_PROXIES',
    'KEEP_ALIVE_SECONDS',
    'KEEP_ALIVE_TIMEOUT',
    'TRUST_PROXY_CIDRS',
    'OTEL_EXPORTER_OTLP_ENDPOIN',
    'OTEL_EXPORTER_OTLP_HEADER',
    'OTEL_EXPORTER_OTLP_TRACE_ENDPOINT',
    'OTEL_TRACE_SAMPLER',
    'OTEL_SERVICENAME',
  ])('stops the start: %s', (name) => expect(refused(name)).toEqual([name]));

  it.each([
    'HOSTNAME',
    'HOSTTYPE',
    'HOSTS',
    'PROT',
    'PORTS',
    'SERVICE_HOST',
    'SERVICE_PORT',
    'SERVICE_NAME',
    'LISTEN_HOST',
    'HTTP_PORT',
    'LANG',
    'LOGNAME',
    'PWD',
    'SHLVL',
    'USER',
    'CI',
    'CONTAINER',
    'INVOCATION_ID',
    'JOURNAL_STREAM',
    'NOTIFY_SOCKET',
    'CREDENTIALS_DIRECTORY',
    'NODE_ENV',
    'NODE_VERSION',
    'UV_THREADPOOL_SIZE',
    'SSL_CERT_FILE',
    'POD_NAME',
    'POD_IP',
    'NODE_NAME',
    'NAMESPACE',
    'KUBERNETES_PORT_443_TCP_ADDR',
    'GUEST_TOKEN_PROXY_SERVICE_PORT_HTTP',
    'GUEST_TOKEN_PROXY_PORT_8080_TCP_PROTO',
    'HOTEL_SERVICE_NAME',
    'HOTEL_SERVICE_PORT',
    'LOG_FORMAT',
    'AWS_REGION',
    'AWS_ROLE_ARN',
    'AWS_WEB_IDENTITY_TOKEN_FILE',
    'AZURE_TENANT_ID',
    'GOOGLE_APPLICATION_CREDENTIALS',
    'VAULT_SKIP_VERIFY',
    'VAULT_CAPATH',
    'http_proxy',
    'no_proxy',
    'PATH',
    'HOME',
    'REDIS_PORT',
    'REDIS_PORT_6379_TCP',
    'REDIS_SERVICE_HOST',
    'REDIS_HOST',
    'npm_config_loglevel',
    'FTP_PROXY',
    'ALL_PROXY',
    'all_proxy',
    'KUBERNETES_SERVICE_HOST',
    'NODE_OPTIONS',
    'NODE_EXTRA_CA_CERTS',
    'TZ',
    'DATABRAIN_API_KEY_SALES',
    'DATABRAIN_API_KEY_SALES_FILE',
  ])('may be %s, because other programs use it', (name) => expect(refused(name)).toEqual([]));

  /** The specification's variables (OpenTelemetry "Environment Variable Specification" and "OTLP Exporter"). */
  it.each([
    ...['PROPAGATORS', 'LOG_LEVEL', 'ENTITIES', 'METRICS_EXPORTER', 'LOGS_EXPORTER', 'METRICS_EXEMPLAR_FILTER'],
    ...['BLRP_SCHEDULE_DELAY', 'BLRP_EXPORT_TIMEOUT', 'BLRP_MAX_QUEUE_SIZE', 'BLRP_MAX_EXPORT_BATCH_SIZE'],
    ...[
      'ATTRIBUTE_VALUE_LENGTH_LIMIT',
      'ATTRIBUTE_COUNT_LIMIT',
      'SPAN_ATTRIBUTE_COUNT_LIMIT',
      'SPAN_EVENT_COUNT_LIMIT',
    ],
    ...['SPAN_LINK_COUNT_LIMIT', 'EVENT_ATTRIBUTE_COUNT_LIMIT', 'LINK_ATTRIBUTE_COUNT_LIMIT'],
    ...['METRIC_EXPORT_INTERVAL', 'METRIC_EXPORT_TIMEOUT', 'EXPORTER_PROMETHEUS_HOST', 'EXPORTER_PROMETHEUS_PORT'],
    ...['EXPORTER_ZIPKIN_ENDPOINT', 'EXPORTER_ZIPKIN_TIMEOUT', 'CONFIG_FILE', 'EXPERIMENTAL_CONFIG_FILE'],
    ...['', 'TRACES_', 'METRICS_', 'LOGS_'].flatMap((signal) =>
      ['ENDPOINT', 'HEADERS', 'PROTOCOL', 'CERTIFICATE', 'TIMEOUT', 'COMPRESSION', 'INSECURE', 'CLIENT_KEY']
        .concat('CLIENT_CERTIFICATE')
        .map((name) => `EXPORTER_OTLP_${signal}${name}`),
    ),
    ...[
      'EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE',
      'RESOURCE_ATTRIBUTES_POD_NAME',
      'RESOURCE_ATTRIBUTES_NODE_NAME',
    ],
    ...[
      'NODE_RESOURCE_DETECTORS',
      'NODE_ENABLED_INSTRUMENTATIONS',
      'SEMCONV_STABILITY_OPT_IN',
      'INSTRUMENTATION_GENAI',
    ],
    ...['PYTHON_LOG_CORRELATION', 'JAVAAGENT_DEBUG', 'GO_AUTO_TARGET_EXE', 'DOTNET_AUTO_HOME', 'POD_IP', 'NODE_IP'],
  ])('may be OTEL_%s, which OpenTelemetry defines', (name) => expect(refused(`OTEL_${name}`)).toEqual([]));

  it.each(tracingVariables)('is not %s, which is read', (name) => expect(refused(name)).toEqual([]));

  it('is reported with the name of the similar setting', () => {
    expect(unknownVariables({ REDIS_URI: 'redis://:hunter2@x' })).toEqual([
      expect.objectContaining({ problem: expect.stringContaining('REDIS_URL') as unknown }),
    ]);
  });

  it('is allowed if Kubernetes set it for a Service of a similar name', () => {
    expect(unknownVariables({ ADMINS_PORT: 'tcp://10.0.0.1:80' })).toEqual([]);
    expect(unknownVariables({ ADMINS_PORT: '9090' })).toHaveLength(1);
  });

  it('ignores an empty variable', () => expect(unknownVariables({ REDIS_URI: '' })).toEqual([]));
});
