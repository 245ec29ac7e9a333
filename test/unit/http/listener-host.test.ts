import { describe, expect, it } from 'vitest';
import { readHost } from '../../../src/http/listener.ts';

const host = (values: readonly string[], httpVersion = '1.1'): unknown => {
  try {
    return readHost({ rawHeaders: ['accept', '*/*', ...values.flatMap((value) => ['Host', value])], httpVersion });
  } catch (error) {
    const { code, reason, detail } = error as { code: string; reason: string; detail: object };
    return { code, reason, ...detail };
  }
};
const refused = { code: 'INVALID_REQUEST', reason: 'host_refused' };

describe('the Host of a request', () => {
  it.each(['proxy.example', 'proxy.example:8080', 'proxy.example:', '127.0.0.1:1', '[::1]', '[::1]:65535', 'a_b~c'])(
    'is accepted: %s',
    (value) => expect(host([value])).toBe(value),
  );

  it.each(['', ' ', 'a b', 'a/b', 'user@host', 'a:b', 'a:123456', '[::1', '::1', '[::1]x', 'a,b:c', 'x[::1]', 'a#'])(
    'is refused when it is malformed: %j',
    (value) => expect(host([value])).toEqual(refused),
  );

  it('is refused if it is repeated, even with the same value', () => {
    expect(host(['a', 'a'])).toEqual(refused);
  });

  it('may be missing in HTTP/1.0 only', () => {
    expect(host([], '1.0')).toBeUndefined();
    expect(host([])).toEqual(refused);
    expect(readHost({ rawHeaders: ['From', 'a', 'hosts', 'a', 'HOST', 'b'], httpVersion: '1.1' })).toBe('b');
  });

  it.each(['1.2', '2.0', '0.9'])('is not checked for HTTP/%s, which is not supported', (version) => {
    expect(host(['a'], version)).toEqual({ code: 'INVALID_REQUEST', reason: 'version_refused', status: 505 });
  });
});
