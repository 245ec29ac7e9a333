// Which characters of untrusted text people can see. Makes text, such as an issuer's or a token's, safe for a log line
// or a message: short, on one line, and without characters that a terminal or a log viewer interprets.

const maxLength = 120;

/** Control, format, private and unassigned characters, lone surrogates, and separators other than the space. */
const unprintable = /[\p{C}\p{Zl}\p{Zp}]/gu;

/** Strings unchanged, other values as JSON; both cut to 120 characters. */
export function printable(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing');
  const safe = text.slice(0, maxLength + 1).replace(unprintable, '\uFFFD');
  return safe.length > maxLength ? `${safe.slice(0, maxLength)}…` : safe;
}

/** Control and format characters, line and paragraph separators, halves of surrogate pairs. */
const changesLines = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
const plain = /^[\n\x1b -~]*$/;

/**
 * Escapes characters that change how a line is displayed (bidirectional overrides, C1 controls, line separators) as
 * `\uXXXX`, which JSON reads back as the same text. Keeps line breaks and terminal escapes: pass whole lines.
 */
export function escapeUnprintable(text: string): string {
  if (plain.test(text)) return text;
  return text.replace(changesLines, (character) =>
    character === '\n' || character === '\x1b'
      ? character
      : Array.from({ length: character.length }, (_, index) => {
          const unit = character.charCodeAt(index).toString(16).padStart(4, '0');
          return `\\u${unit}`;
        }).join(''),
  );
}

/** White space, control and other invisible characters, and the empty Braille pattern. */
const hidden = String.raw`\s\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u2800`;

/** Finds anything visible. */
export const visibleText = new RegExp(`[^${hidden}]`, 'u');

/** Finds everything invisible. */
export const invisible = new RegExp(`[${hidden}]`, 'gu');
