// The addresses of clients: which peers are proxies that are trusted to report them (TRUST_PROXY, checked by config/),
// and the keys that they are counted under: the IPv4 address, or the /64 of an IPv6 customer (RFC 6177, RFC 7934) and
// the /48, the largest network that a customer gets. All spellings of an address have the same key, so that letter
// case, zeros, ports and zones do not help an attacker.
import ipaddr from 'ipaddr.js';
import { isIP } from 'node:net';

type Range = readonly [network: ipaddr.IPv4 | ipaddr.IPv6, length: number];

/**
 * The address in a form that ipaddr.js reads correctly. It throws for some zones (`fe80::1%br-lan`), and reads
 * `::10.1.2.3` (IPv4-compatible, RFC 4291 §2.5.5.1) as `::ffff:10.1.2.3`, so such a client would count as the IPv4
 * address. The URL parser writes the four numbers as groups.
 */
function toReadable(address: string): string {
  const withoutZone = address.split('%', 1)[0] ?? '';
  const isUsual = !withoutZone.includes('.') || /^(?:::ffff:)?[\d.]+$/.test(withoutZone);
  if (isUsual || isIP(withoutZone) !== 6) return withoutZone;
  return new URL(`http://[${withoutZone}]`).hostname.slice(1, -1);
}

/** Converts an IPv4-mapped IPv6 range (`::ffff:10.0.0.0/104`) to its IPv4 range. */
function toRange(entry: string): Range {
  const [address = '', prefix = isIP(entry) === 4 ? '32' : '128'] = entry.split('/');
  const [network, length] = ipaddr.parseCIDR(`${toReadable(address)}/${prefix}`);
  const isMapped = network instanceof ipaddr.IPv6 && network.isIPv4MappedAddress() && length >= 96;
  return isMapped ? [network.toIPv4Address(), length - 96] : [network, length];
}

/** Whether an address is a trusted proxy's; false for anything else. Undefined without entries. */
export function createTrustedProxies(
  entries: readonly string[],
): ((address: string | undefined) => boolean) | undefined {
  if (entries.length === 0) return undefined;
  const ranges = entries.map(toRange);
  return (address) => {
    if (address === undefined || isIP(address) === 0) return false;
    const parsed = ipaddr.process(toReadable(address));
    return ranges.some(([network, length]) => parsed.kind() === network.kind() && parsed.match(network, length));
  };
}

export interface AddressKeys {
  readonly key: string;
  /** The /48 around it; undefined for IPv4. */
  readonly network48: string | undefined;
}

/** The common key for anything that is not an address, so that it does not bypass the limit. */
const unreadable: AddressKeys = { key: 'unreadable', network48: undefined };

const v4WithPort = /^(\d{1,3}(?:\.\d{1,3}){3}):\d{1,5}$/;
const v6InBrackets = /^\[([^\]]+)\](?::\d{1,5})?$/;

/** The IPv4 address embedded in an IPv6 address of a transition mechanism, if any. */
function embeddedIpv4({ parts }: ipaddr.IPv6): string | undefined {
  const [g0 = 0, g1 = 0, g2 = 0, g3 = 0, g4 = 0, g5 = 0, g6 = 0, g7 = 0] = parts;
  const dotted = (high: number, low: number): string => `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
  const middleIsZero = g2 === 0 && g3 === 0 && g4 === 0;
  // Mapped (RFC 4291 §2.5.5.2) and translated (RFC 6052 §2.1).
  if (g0 === 0 && g1 === 0 && middleIsZero && g5 === 0xffff) return dotted(g6, g7);
  if (g0 === 0x64 && g1 === 0xff9b && middleIsZero && g5 === 0) return dotted(g6, g7);
  // 6to4 (RFC 3056 §2): every IPv4 address has a /48 of its own. Teredo (RFC 4380 §4): the client's, inverted.
  if (g0 === 0x2002) return dotted(g1, g2);
  if (g0 === 0x2001 && g1 === 0) return dotted(g6 ^ 0xffff, g7 ^ 0xffff);
  return undefined;
}

function parse(address: string | undefined): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  if (address === undefined) return undefined;
  const bare = v4WithPort.exec(address)?.[1] ?? v6InBrackets.exec(address)?.[1] ?? address;
  const withoutZone = bare.split('%', 1)[0] ?? '';
  // Stricter than the library, which also reads 0x7f.1 and the like as IPv4.
  return isIP(withoutZone) === 0 ? undefined : ipaddr.parse(toReadable(withoutZone));
}

const network = (parts: readonly number[], groups: number, length: number): string =>
  `${parts
    .slice(0, groups)
    .map((group) => group.toString(16))
    .join(':')}::/${length}`;

/** The keys under which a client address is counted. Addresses that carry an IPv4 address count as that one. */
export function toAddressKeys(address: string | undefined): AddressKeys {
  // An IPv4 address has one spelling only, and this runs for every request.
  if (address !== undefined && isIP(address) === 4) return { key: address, network48: undefined };
  const parsed = parse(address);
  if (parsed === undefined) return unreadable;
  if (parsed instanceof ipaddr.IPv4) return { key: parsed.toString(), network48: undefined };
  const ipv4 = embeddedIpv4(parsed);
  if (ipv4 !== undefined) return { key: ipv4, network48: undefined };
  return { key: network(parsed.parts, 4, 64), network48: network(parsed.parts, 3, 48) };
}

/** The /24 or /48 of the address, for operators: it does not identify one machine. */
export function toShortAddress({ key, network48 }: AddressKeys): string {
  return network48 ?? key.replace(/\.\d+$/, '.0/24');
}
