// What could end a text inside SQL, as it is or as a database or driver may fold it to ASCII.

/** Quotes, accents, primes and backslashes with what looks like them, `;`, `--` of all dashes, and `/*`. */
const endsText =
  /["'`\\;\u00b4\u02b9-\u02bc\u02c8\u02cb\u2018-\u201f\u2032-\u2037\u2216\uff02\uff07\uff3c]|[-\u2010-\u2015\u2212]{2}|[/\u2044\u2215][*\u2217]/;

/** Looks at the text and at its normal forms (UAX 15): a database may store either. */
export const couldEndSqlText = (text: string): boolean =>
  endsText.test(text) ||
  (/[^\0-\x7f]/.test(text) && ['NFC', 'NFKC'].some((form) => endsText.test(text.normalize(form))));
