import { describe, expect, it } from 'vitest';
import { toAddressKeys, toShortAddress } from '../../../src/http/client-address.ts';

const toAddressKey = (address: string | undefined): string => toAddressKeys(address).key;

describe('the key of a client address', () => {
  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['192.0.2.7:51234', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['::FFFF:C000:0207', '192.0.2.7'],
    ['0:0:0:0:0:ffff:c000:207', '192.0.2.7'],
    ['64:ff9b::192.0.2.7', '192.0.2.7'],
    ['2002:c000:207:1::9', '192.0.2.7'],
    ['2001:0:4136:e378:8000:63bf:3fff:fdf8', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8:1:2::1', '2001:db8:1:2::/64'],
    ['2001:0db8:0001:0002:ffff:ffff:ffff:ffff', '2001:db8:1:2::/64'],
    ['[2001:db8:1:2::9]:443', '2001:db8:1:2::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['2001:db8::', '2001:db8:0:0::/64'],
    ['1:2:3:4:5:6:192.0.2.7', '1:2:3:4::/64'],
    // IPv4-compatible: an IPv6 address, not the IPv4 address that it is written with.
    ['::192.0.2.7', '0:0:0:0::/64'],
    ['::192.0.2.7%eth0', '0:0:0:0::/64'],
    // These differ in one group from an address that contains IPv4, and must not count as that IPv4 address.
    ['1::ffff:c000:207', '1:0:0:0::/64'],
    ['0:1::ffff:c000:207', '0:1:0:0::/64'],
    ['0:0:1:0:0:ffff:c000:207', '0:0:1:0::/64'],
    ['0:0:0:1:0:ffff:c000:207', '0:0:0:1::/64'],
    ['0:0:0:0:1:ffff:c000:207', '0:0:0:0::/64'],
    ['1:ff9b::c000:207', '1:ff9b:0:0::/64'],
    ['64:1::c000:207', '64:1:0:0::/64'],
    ['64:ff9b::1:c000:207', '64:ff9b:0:0::/64'],
    ['2001:1:4136:e378:8000:63bf:3fff:fdf8', '2001:1:4136:e378::/64'],
  ])('of %s is %s', (address, key) => {
    expect(toAddressKey(address)).toBe(key);
  });

  it('distinguishes neighbouring /64 networks', () => {
    expect(toAddressKey('2001:db8:1:2::1')).not.toBe(toAddressKey('2001:db8:1:3::1'));
    expect(toAddressKey('64:ff9b:1::1')).toBe('64:ff9b:1:0::/64');
  });

  it.each([undefined, '', 'unknown', '_hidden', '999.1.1.1', '1.2.3.4:99999999', 'a:b', '::1::2', '%eth0'])(
    'is one shared key for everything that is not an address (%s)',
    (text) => {
      expect(toAddressKey(text)).toBe('unreadable');
    },
  );

  it('has a /48 network around an IPv6 address, and none around an IPv4 address in any form', () => {
    expect(toAddressKeys('2001:db8:1:2::3').network48).toBe('2001:db8:1::/48');
    expect(toAddressKeys('[2001:db8:1:ffff::3]:443').network48).toBe('2001:db8:1::/48');
    for (const address of ['192.0.2.7', '::ffff:192.0.2.7', '2002:c000:207::1', '64:ff9b::c000:207', 'nonsense']) {
      expect(toAddressKeys(address).network48).toBeUndefined();
    }
  });

  it.each([
    ['192.0.2.7', '192.0.2.0/24'],
    ['192.0.2.177', '192.0.2.0/24'],
    ['2001:db8:1:2::3', '2001:db8:1::/48'],
    ['nonsense', 'unreadable'],
  ])('is shortened in the log: %s', (address, short) => {
    expect(toShortAddress(toAddressKeys(address))).toBe(short);
  });
});
