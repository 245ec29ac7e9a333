// Any character for fast-check: every code point except surrogates, as its unit `binary`, which takes two seconds to
// prepare.
import fc from 'fast-check';

const surrogates = { first: 0xd800, count: 0x800 };

export const anyCharacter = fc
  .integer({ min: 0, max: 0x10ffff - surrogates.count })
  .map((index) => String.fromCodePoint(index < surrogates.first ? index : index + surrogates.count));
