import { describe, expect, it } from 'vitest';
import { toAddressKey } from '../../../src/limits/address-key.ts';

describe('the key of a client address', () => {
  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['192.0.2.7:51234', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['::FFFF:C000:0207', '192.0.2.7'],
    ['0:0:0:0:0:ffff:c000:207', '192.0.2.7'],
    ['64:ff9b::192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8:1:2::1', '2001:db8:1:2::/64'],
    ['2001:0db8:0001:0002:ffff:ffff:ffff:ffff', '2001:db8:1:2::/64'],
    ['[2001:db8:1:2::9]:443', '2001:db8:1:2::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['2001:db8::', '2001:db8:0:0::/64'],
    ['1:2:3:4:5:6:192.0.2.7', '1:2:3:4::/64'],
  ])('%s counts as %s', (address, key) => {
    expect(toAddressKey(address)).toBe(key);
  });

  it('tells neighbouring /64 networks apart', () => {
    expect(toAddressKey('2001:db8:1:2::1')).not.toBe(toAddressKey('2001:db8:1:3::1'));
    expect(toAddressKey('64:ff9b:1::1')).toBe('64:ff9b:1:0::/64');
  });

  it.each([undefined, '', 'unknown', '_hidden', '999.1.1.1', '1.2.3.4:99999999', 'a:b', '::1::2', '%eth0'])(
    'gives everything that is no address one shared key (%s)',
    (text) => {
      expect(toAddressKey(text)).toBe('unreadable');
    },
  );
});
