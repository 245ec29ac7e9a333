// Values that can never work, whatever the setting: quotes that an env file kept, white space at the ends, text copied
// from an example. Found at the start, because later each of them looks like a token that never matches.

import type { Problem } from '../problem.ts';
import { settingOf } from '../secrets/secret-stores.ts';
import type { Environment } from './environment.ts';
import { namedApiKey, settings, type Setting } from './settings.ts';

interface UnusableValue {
  /** What is wrong, as the rest of a sentence that begins with the variable's name. */
  readonly problem: string;
  readonly fix: string;
}

const isQuoted = (text: string): boolean => /^(["'`])[\s\S]*\1$/.test(text) && text.length > 1;

/** Templates that nobody filled in: `<tenant>`, `${VAR}`, `{{ value }}`, `abc...`. */
const unfilled = /<[a-z][a-z0-9 _.-]*>|\$\{[^}]*\}|\{\{[^}]*\}\}|%[A-Z_]{3,}%/i;
const cutShort = /(\.{3}|…)$/;
/** In addresses and audiences only: a folder may well be called like that. */
const yourOwn =
  /\byour[-_ ](own|tenant|domain|realm|project|region|pool|org|organi[sz]ation|company|app|application|api|issuer|audience|client|auth0|host)\b|\byour(tenant|domain|company)\b/i;

/** Whole texts that stand for a secret in documentation. */
const stockSecret =
  /^(change[-_ ]?(me|it|this)|replace[-_ ]?(me|this)|to[-_ ]?do|tbd|placeholder|dummy|example|x{3,}|\*{3,}|\.{3,}|your[-_ ].*|(my[-_ ]|the[-_ ]|an?[-_ ])?(databrain[-_ ])?(api[-_ ]?key|secret|token|password)|dbn_(live|test)_(abc|xxx|123|\.|your).*)$/i;

type Kind = 'secret' | 'keys' | 'list' | 'text';

/**
 * Why a value can never be right, or undefined. Looks at the text only; whether it fits its setting is for the setting to say.
 * @param kind `secret`: a random text, in which only what nobody generates is refused; `keys`: PEM or JSON, which may
 *   end in white space; `list`: comma-separated; `text`: everything else
 */
export function whyUnusable(value: string, kind: Kind): UnusableValue | undefined {
  const parts = kind === 'list' ? value.split(',').map((part) => part.trim()) : [value];
  if (isQuoted(value.trim()) || parts.some(isQuoted)) {
    return {
      problem: 'has quotes around its value, and they count as part of it',
      fix: 'Remove the quotes: docker run --env-file and Kubernetes keep them',
    };
  }
  if (kind !== 'keys' && kind !== 'list' && value.trim() !== value) {
    return { problem: 'begins or ends with white space', fix: 'Remove the white space' };
  }
  const isAddress = kind === 'list' || /^[a-z]+:\/\//i.test(value);
  const isTemplate =
    kind === 'secret'
      ? stockSecret.test(value) || cutShort.test(value) || /^(<.*>|\$\{.*\}|\{\{.*\}\})$/.test(value)
      : kind !== 'keys' && (unfilled.test(value) || cutShort.test(value) || (isAddress && yourOwn.test(value)));
  return isTemplate
    ? { problem: 'holds a placeholder from an example', fix: 'Replace it with the real value' }
    : undefined;
}

const byName: ReadonlyMap<string, Setting> = new Map(settings.map((setting) => [setting.name, setting]));

/** How to look at a variable, or undefined if it is none of ours. */
function kindOf(variable: string): Kind | undefined {
  const setting = byName.get(variable);
  if (setting !== undefined) return setting.form ?? (setting.fromFile === undefined ? 'text' : 'secret');
  const base = settingOf(variable);
  if (base !== variable) return byName.get(base)?.fromFile !== undefined || namedApiKey.test(base) ? 'text' : undefined;
  return namedApiKey.test(variable) ? 'secret' : undefined;
}

/** One problem per variable of ours whose value can never work. Never repeats the value. */
export function unusableValues(env: Environment): readonly Problem[] {
  return Object.entries(env).flatMap(([variable, value]) => {
    const kind = value === undefined || value === '' ? undefined : kindOf(variable);
    const unusable = kind === undefined ? undefined : whyUnusable(value ?? '', kind);
    return unusable === undefined ? [] : [{ location: variable, ...unusable }];
  });
}
