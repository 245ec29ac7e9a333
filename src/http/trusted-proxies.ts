// Whose X-Forwarded-* headers count: the addresses and ranges of TRUST_PROXY, which config/ has checked.
import ipaddr from 'ipaddr.js';
import { isIP } from 'node:net';

type Range = readonly [network: ipaddr.IPv4 | ipaddr.IPv6, length: number];

/** IPv4 in IPv6 clothes (`::ffff:10.0.0.0/104`) as the IPv4 range that it is. */
function toRange(entry: string): Range {
  const [network, length] = entry.includes('/')
    ? ipaddr.parseCIDR(entry)
    : [ipaddr.parse(entry), isIP(entry) === 4 ? 32 : 128];
  const isMapped = network instanceof ipaddr.IPv6 && network.isIPv4MappedAddress() && length >= 96;
  return isMapped ? [network.toIPv4Address(), length - 96] : [network, length];
}

/** Tells whether an address is a named proxy's; what is no address never is. Undefined without entries. */
export function createTrustedProxies(
  entries: readonly string[],
): ((address: string | undefined) => boolean) | undefined {
  if (entries.length === 0) return undefined;
  const ranges = entries.map(toRange);
  return (address) => {
    if (address === undefined || isIP(address) === 0) return false;
    const parsed = ipaddr.process(address);
    return ranges.some(([network, length]) => parsed.kind() === network.kind() && parsed.match(network, length));
  };
}
