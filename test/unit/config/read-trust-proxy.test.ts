import { describe, expect, it } from 'vitest';
import { createSettingReader } from '../../../src/config/setting-reader.ts';
import { readTrustProxy } from '../../../src/config/read-trust-proxy.ts';
import type { Problem } from '../../../src/problem.ts';

function problemsOf(value: string): Problem[] {
  const problems: Problem[] = [];
  readTrustProxy(createSettingReader({ TRUST_PROXY: value }, () => Buffer.alloc(0), problems));
  return problems;
}

describe('TRUST_PROXY', () => {
  it.each([
    '10.0.0.1',
    '10.0.0.0/8',
    '192.168.1.0/24,10.2.3.4',
    '::1',
    'fc00::/7',
    'fd12:3456::/32',
    '::ffff:10.0.0.0/104',
    '2001:db8::/32',
    '2606:4700::/32',
    '2a06:98c0::/29',
    '64:ff9b::10.0.0.0/104',
    '2002:a00::/24',
  ])('accepts the proxies %s', (value) => expect(problemsOf(value)).toEqual([]));

  it.each([
    'true',
    '1',
    'loopback',
    '0.0.0.0/0',
    '::/0',
    '0.0.0.0/1',
    '128.0.0.0/1',
    '::ffff:0:0/96',
    '::ffff:0.0.0.0/96',
    '0:0:0:0:0:ffff:0:0/96',
    '::FFFF:0:0/97',
    '::/64',
    '::/80',
    '::/3',
    '64:ff9b::/96',
    '64:ff9b::/64',
    '64:ff9b::0.0.0.0/97',
    '64:ff9b:1::/48',
    '64:ff9b:1:2::/96',
    '2002::/16',
    '2002:8000::/17',
    '2001::/32',
    '2001:0:1::/48',
    '2001::/16',
    '2000::/3',
    '2000::/7',
    '2400::/12',
    '::0.0.0.0/96',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    'fe80::1%eth0',
    '10.0.0.256',
    '10.0.0.0/',
  ])('refuses %s', (value) => {
    const problems = problemsOf(value);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({ location: 'TRUST_PROXY' });
  });
});
