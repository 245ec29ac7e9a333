import { describe, expect, it } from 'vitest';
import { createTrustedProxies } from '../../../src/http/client-address.ts';

const isTrusted = (entry: string, address: string | undefined): boolean | undefined =>
  createTrustedProxies(['203.0.113.254', entry])?.(address);

describe('trusted proxies', () => {
  it.each([
    ['10.0.0.1', '10.0.0.1'],
    ['10.0.0.1', '::ffff:10.0.0.1'],
    ['10.0.0.0/8', '10.255.255.255'],
    ['::ffff:10.0.0.0/104', '10.1.2.3'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['::ffff:10.0.0.1/128', '10.0.0.1'],
    ['fd00::/8', 'fd12::1'],
    ['fe80::/16', 'fe80::1%eth0'],
    ['fe80::/16', 'fe80::1%eth0.100'],
    ['fe80::/16', 'fe80::1%br-lan'],
    ['::10.0.0.1', '::a00:1'],
    ['::10.0.0.0/104', '::10.1.2.3'],
    ['::FFFF:10.0.0.0/104', '10.1.2.3'],
    ['2001:db8::1', '2001:db8::1'],
  ])('configured as %s include %s', (entry, address) => expect(isTrusted(entry, address)).toBe(true));

  it.each([
    ['10.0.0.1', '10.0.0.2'],
    ['10.0.0.0/8', '11.0.0.0'],
    ['::ffff:10.0.0.0/104', '11.0.0.0'],
    ['::ffff:10.0.0.1', '10.0.0.2'],
    ['fd00::/8', 'fe00::1'],
    // IPv4-compatible IPv6 addresses are not the IPv4 address that they are written with.
    ['10.0.0.0/8', '::10.1.2.3'],
    ['10.0.0.0/8', '::10.1.2.3%eth0'],
    ['::10.0.0.0/104', '10.1.2.3'],
    ['2001:db8::1', '2001:db8::2'],
    ['10.0.0.0/8', 'fd00::1'],
    ['fd00::/8', '10.0.0.1'],
    ['10.0.0.0/8', '10.0.0.1, 192.0.2.1'],
    ['10.0.0.0/8', '10.0.0'],
    ['10.0.0.0/8', 'fe80::1%br-lan'],
    ['10.0.0.0/8', 'unknown'],
    ['10.0.0.0/8', ''],
    ['10.0.0.0/8', undefined],
  ])('configured as %s do not include %s', (entry, address) => expect(isTrusted(entry, address)).toBe(false));

  it('are none without entries', () => expect(createTrustedProxies([])).toBeUndefined());
});
