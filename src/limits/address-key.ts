// What counts as one client address: an IPv4 address, or the /64 that a single IPv6 customer is given (RFC 6177,
// RFC 7934). Every spelling of one address gives one key, so that letter case, zeros, ports and zones buy nothing.
import { isIPv4, isIPv6 } from 'node:net';

/** Everything that is not an address shares one key: it is no way round. */
const unreadable = 'unreadable';

const v4WithPort = /^(\d{1,3}(?:\.\d{1,3}){3}):\d{1,5}$/;
const v6InBrackets = /^\[([^\]]+)\](?::\d{1,5})?$/;

/** The eight 16-bit groups of a valid IPv6 address (RFC 4291 §2.2). */
function groupsOf(address: string): readonly number[] {
  const lastColon = address.lastIndexOf(':');
  const tail = address.slice(lastColon + 1);
  let text = address;
  if (tail.includes('.')) {
    const bytes = tail.split('.').map(Number);
    const [a = 0, b = 0, c = 0, d = 0] = bytes;
    text = `${address.slice(0, lastColon + 1)}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  }
  const [head = '', rest] = text.split('::');
  const parse = (part: string): number[] => (part === '' ? [] : part.split(':').map((group) => parseInt(group, 16)));
  const before = parse(head);
  if (rest === undefined) return before;
  const after = parse(rest);
  return [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after];
}

const toDotted = (high: number, low: number): string => `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;

/**
 * The key under which a client address is counted. Addresses that carry an IPv4 address (`::ffff:0:0/96`, and the
 * translators' `64:ff9b::/96` of RFC 6052) count as that one.
 */
export function toAddressKey(address: string | undefined): string {
  if (address === undefined) return unreadable;
  const bare = v4WithPort.exec(address)?.[1] ?? v6InBrackets.exec(address)?.[1] ?? address;
  if (isIPv4(bare)) return bare;
  const withoutZone = bare.split('%', 1)[0] ?? '';
  if (!isIPv6(withoutZone)) return unreadable;
  const groups = groupsOf(withoutZone);
  const [g0 = 0, g1 = 0, g2 = 0, g3 = 0, g4 = 0, g5 = 0, g6 = 0, g7 = 0] = groups;
  const middleIsZero = g2 === 0 && g3 === 0 && g4 === 0;
  if (g0 === 0 && g1 === 0 && middleIsZero && g5 === 0xffff) return toDotted(g6, g7);
  if (g0 === 0x64 && g1 === 0xff9b && middleIsZero && g5 === 0) return toDotted(g6, g7);
  return `${[g0, g1, g2, g3].map((group) => group.toString(16)).join(':')}::/64`;
}
