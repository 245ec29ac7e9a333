import { describe, expect, it } from 'vitest';
import { createHostList } from '../../../src/http/admin-listener.ts';

describe('the hosts that the admin listener accepts', () => {
  const isListed = (host: string | undefined, localAddress: string | undefined): boolean =>
    createHostList(['Admin.Example', '10.0.0.7', 'fd00::7'])(host, localAddress);

  it.each(['localhost', 'LOCALHOST:9090', '127.0.0.1', '127.255.0.9:1', '[::1]', '[::1]:9090'])(
    'include loopback names: %s',
    (name) => expect(isListed(name, '192.0.2.1')).toBe(true),
  );

  it.each(['admin.example', 'ADMIN.example:9090', '10.0.0.7', '[fd00::7]:9090', 'admin.example:'])(
    'include the configured names: %s',
    (name) => expect(isListed(name, undefined)).toBe(true),
  );

  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['192.0.2.1:9090', '::ffff:192.0.2.1'],
    ['192.0.2.1', '::FFFF:192.0.2.1'],
    ['[2001:db8::1]', '2001:db8::1'],
  ])('include the address of the listener: %s on %s', (name, local) => expect(isListed(name, local)).toBe(true));

  it.each([
    'evil.example',
    'localhost.evil.example',
    'evil-localhost',
    '127.0.0.1.evil.example',
    '1127.0.0.1',
    '[::2]',
  ])('include no others: %s', (name) => expect(isListed(name, '192.0.2.1')).toBe(false));

  it('may be missing, as HTTP/1.0 allows', () => {
    expect(isListed(undefined, '192.0.2.1')).toBe(true);
  });
});
