// Finds values that can never be valid: quotes and comments that an env file kept, white space at the ends,
// placeholders copied from an example. Without this check, such a value would cause errors that are hard to explain
// later.

export interface UnusableText {
  /** Completes a sentence that starts with the location of the text. */
  readonly problem: string;
  readonly fix: string;
}

const isQuoted = (text: string): boolean => /^(["'`])[\s\S]*\1$/.test(text) && text.length > 1;

const commentBehind = /\s#/;

/** Unfilled templates: `<tenant>`, `${VAR}`, `{{ value }}`, `%NAME%`. */
const unfilled = /<[a-z][a-z0-9 _.-]*>|\$\{[^}]*\}|\{\{[^}]*\}\}|%[A-Z_]{3,}%/i;
const cutShort = /(\.{3}|…)$/;
/** Only in addresses and audiences: a folder may have such a name, and an expression has braces. */
const inAddress =
  /\{[a-z][a-z0-9 _.-]*\}|\byour[-_ ](own|tenant|domain|realm|project|region|pool|org|organi[sz]ation|company|app|application|api|issuer|audience|client|auth0|host)\b|\byour(tenant|domain|company)\b/i;

/** Whole texts that are placeholders: words of examples, an unreplaced variable, a script's output for nothing. */
const placeholderText =
  /^(change[-_ ]?(me|it|this)|replace[-_ ]?(me|it|this)|to[-_ ]?do|tbd|fixme|placeholder|x{3,}|\*{3,}|undefined|null|nil|\[object \w+\])$/i;
const unreplacedVariable = /^\$[A-Z_][A-Z0-9_]*$/;
/** Whole texts that stand for a secret in documentation. */
const placeholderSecret =
  /^(dummy|example|your[-_ ].*|(my[-_ ]|the[-_ ]|an?[-_ ])?(databrain[-_ ])?(api[-_ ]?key|secret|token|password)|dbn_(live|test)_(abc|xxx|123|\.|your).*)$/i;

/**
 * `secret`: a random text, for which only obvious placeholders are refused; `keys`: PEM or JSON, which may end in white
 * space; `list`: comma-separated; `text`: everything else.
 */
export type TextKind = 'secret' | 'keys' | 'list' | 'text';

function isPlaceholder(value: string, parts: readonly string[], kind: TextKind): boolean {
  if (kind === 'keys') return false;
  if (parts.some((part) => [placeholderText, unreplacedVariable, cutShort].some((form) => form.test(part))))
    return true;
  if (kind === 'secret') return placeholderSecret.test(value) || /^(<.*>|\$\{.*\}|\{\{.*\}\})$/.test(value);
  const isAddress = kind === 'list' || /^[a-z]+:\/\//i.test(value);
  return unfilled.test(value) || (isAddress && inAddress.test(value));
}

/** Why a text cannot be valid, or undefined. Checks only the text, not whether it fits its setting. */
export function textProblem(value: string, kind: TextKind): UnusableText | undefined {
  const parts = kind === 'list' ? value.split(',').map((part) => part.trim()) : [value];
  if (isQuoted(value.trim()) || parts.some(isQuoted)) {
    return {
      problem: 'has quotes around its value, and they are part of the value',
      fix: 'Remove the quotes: docker run --env-file and Kubernetes keep them',
    };
  }
  if ((kind === 'text' || kind === 'list') && commentBehind.test(value)) {
    return {
      problem: 'has a comment after its value, and it is part of the value',
      fix: 'Put the comment on a separate line: docker run --env-file keeps it',
    };
  }
  if (kind !== 'keys' && kind !== 'list' && value.trim() !== value) {
    return { problem: 'begins or ends with white space', fix: 'Remove the white space' };
  }
  return isPlaceholder(value, parts, kind)
    ? { problem: 'contains a placeholder from an example', fix: 'Replace it with the real value' }
    : undefined;
}
