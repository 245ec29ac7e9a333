// openapi.yaml as data: its operations, their possible responses, and a check of actual responses.
import { readFileSync } from 'node:fs';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { parse } from 'yaml';

type Json = Readonly<Record<string, unknown>>;

export interface DescribedHeader {
  /** Lower case. */
  readonly name: string;
  readonly required: boolean;
  readonly accepts: (value: string) => boolean;
}

export interface DescribedResponse {
  readonly status: number;
  readonly headers: readonly DescribedHeader[];
  /** Undefined: no body. */
  readonly content?:
    | {
        readonly mediaType: string;
        readonly accepts: (body: unknown) => boolean;
        readonly examples: readonly unknown[];
        /** The possible error codes; empty if it is not an error. */
        readonly codes: readonly string[];
      }
    | undefined;
}

export interface DescribedOperation {
  readonly path: string;
  /** Upper case. */
  readonly method: string;
  readonly listeners: readonly ('public' | 'admin')[];
  readonly responses: readonly DescribedResponse[];
}

export interface Description {
  readonly version: string;
  readonly info: Json;
  readonly codes: readonly string[];
  readonly operations: readonly DescribedOperation[];
  /** Responses to requests that no operation describes. */
  readonly unknownPath: DescribedResponse;
  readonly otherMethod: DescribedResponse;
  readonly limitedAddress: DescribedResponse;
  /** Responses to input that is not a request. */
  readonly brokenProtocol: readonly DescribedResponse[];
}

const methods = ['get', 'head', 'post', 'put', 'patch', 'delete', 'options', 'trace'];

const isJson = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);
const members = (value: unknown): readonly (readonly [string, unknown])[] =>
  isJson(value) ? Object.entries(value) : [];
const asJson = (value: unknown, what: string): Json => {
  if (!isJson(value)) throw new Error(`openapi.yaml: ${what} is not a mapping`);
  return value;
};

export function readDescription(): Description {
  const text = readFileSync(new URL('../../../openapi.yaml', import.meta.url), 'utf8');
  const document = asJson(parse(text, { uniqueKeys: true }), 'the document');
  const ajv = new Ajv2020({ strict: true, strictTypes: false, strictRequired: false, validateSchema: true });
  addFormats.default(ajv);
  // The whole document is registered as a schema; only the schemas inside it are compiled.
  ajv.addVocabulary(Object.keys(document));
  ajv.addSchema(document, 'openapi.yaml', false, false);

  const at = (pointer: string): unknown =>
    pointer
      .split('/')
      .slice(1)
      .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
      .reduce<unknown>((node, step) => (isJson(node) ? node[step] : undefined), document);

  /** The target of a chain of `$ref`s. */
  const resolve = (pointer: string): string => {
    const node = asJson(at(pointer), pointer);
    const target = node['$ref'];
    return typeof target === 'string' ? resolve(target.replace(/^#/, '')) : pointer;
  };
  const step = (pointer: string, name: string): string =>
    `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
  const validatorOf = (pointer: string): ValidateFunction =>
    ajv.compile({ $ref: `openapi.yaml#${pointer.split('/').map(encodeURIComponent).join('/')}` });

  const toHeader = (name: string, pointer: string): DescribedHeader => {
    const header = asJson(at(pointer), pointer);
    const accepts = validatorOf(step(pointer, 'schema'));
    return { name: name.toLowerCase(), required: header['required'] === true, accepts: (value) => accepts(value) };
  };

  const toContent = (mediaType: string, pointer: string): DescribedResponse['content'] => {
    const media = asJson(at(pointer), pointer);
    const accepts = validatorOf(step(pointer, 'schema'));
    const examples = members(media['examples']).map(([, example]) => asJson(example, `${pointer} example`)['value']);
    const codes = /"code":\{"enum":(\[[^\]]*\])/.exec(JSON.stringify(media['schema']))?.[1] ?? '[]';
    return { mediaType, accepts: (body) => accepts(body), examples, codes: JSON.parse(codes) as string[] };
  };

  const toResponse = (status: string, written: string): DescribedResponse => {
    const pointer = resolve(written);
    const response = asJson(at(pointer), pointer);
    const headers = members(response['headers']).map(([name]) =>
      toHeader(name, resolve(step(step(pointer, 'headers'), name))),
    );
    const [media, ...others] = members(response['content']).map(([mediaType]) => mediaType);
    if (others.length > 0) throw new Error(`openapi.yaml: ${pointer} has several media types`);
    const content = media === undefined ? undefined : toContent(media, step(step(pointer, 'content'), media));
    return { status: Number(status), headers, content };
  };

  const listenersOf = (item: Json): DescribedOperation['listeners'] => {
    const servers = JSON.stringify(item['servers'] ?? document['servers']);
    return [
      ...(servers.includes(':8080') ? (['public'] as const) : []),
      ...(servers.includes(':9090') ? (['admin'] as const) : []),
    ];
  };

  const operations = members(document['paths']).flatMap(([path, item]) =>
    members(item)
      .filter(([name]) => methods.includes(name))
      .map(([name, operation]): DescribedOperation => {
        const pointer = step(step(step(step('', 'paths'), path), name), 'responses');
        return {
          path,
          method: name.toUpperCase(),
          listeners: listenersOf(asJson(item, path)),
          responses: members(asJson(operation, path)['responses']).map(([status]) =>
            toResponse(status, step(pointer, status)),
          ),
        };
      }),
  );

  return {
    version: String(document['openapi']),
    info: asJson(document['info'], 'info'),
    codes: at('/components/schemas/ErrorCode/enum') as string[],
    operations,
    unknownPath: toResponse('404', '/x-other-requests/unknownPath'),
    otherMethod: toResponse('405', '/x-other-requests/otherMethod'),
    limitedAddress: toResponse('429', '/x-other-requests/limitedAddress'),
    brokenProtocol: members(at('/x-other-requests/brokenProtocol')).map(([status]) =>
      toResponse(status, `/x-other-requests/brokenProtocol/${status}`),
    ),
  };
}
