// Text of others, such as an issuer's or a token's, as it may stand in a log line or a message: short, on one line, and
// without anything that a terminal or a log viewer would act on.

const maxLength = 120;

/** Control, format, private and unassigned characters, lone surrogates, and separators other than the space. */
const unprintable = /[\p{C}\p{Zl}\p{Zp}]/gu;

/** Strings as they are, other values as JSON, both cut to 120 characters. */
export function printable(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing');
  const safe = text.slice(0, maxLength + 1).replace(unprintable, '\uFFFD');
  return safe.length > maxLength ? `${safe.slice(0, maxLength)}…` : safe;
}
