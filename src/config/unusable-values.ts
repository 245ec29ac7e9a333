// Refuses values of our variables that cannot work for any setting. Values from files and stores are checked where they
// are read.

import type { Problem } from '../problem.ts';
import { settingOf } from '../secrets/secret-stores.ts';
import { whyUnusable, type TextKind } from '../unusable-text.ts';
import type { Environment } from './environment.ts';
import { namedApiKey, settings, type Setting } from './settings.ts';

const byName: ReadonlyMap<string, Setting> = new Map(settings.map((setting) => [setting.name, setting]));

/** How to look at the value of a setting, wherever it comes from, or undefined if it is none of ours. */
export function kindOfSetting(name: string): TextKind | undefined {
  const setting = byName.get(name);
  if (setting !== undefined) return setting.form ?? (setting.fromFile === undefined ? 'text' : 'secret');
  return namedApiKey.test(name) ? 'secret' : undefined;
}

/** How to look at a variable: the name of a file or of a place in a store is text. */
function kindOf(variable: string): TextKind | undefined {
  const base = settingOf(variable);
  if (byName.has(variable) || base === variable) return kindOfSetting(variable);
  return byName.get(base)?.fromFile !== undefined || namedApiKey.test(base) ? 'text' : undefined;
}

/** One problem per variable of ours whose value can never work. Never repeats the value. */
export function unusableValues(env: Environment): readonly Problem[] {
  return Object.entries(env).flatMap(([variable, value]) => {
    const kind = value === undefined || value === '' ? undefined : kindOf(variable);
    const unusable = kind === undefined ? undefined : whyUnusable(value ?? '', kind);
    return unusable === undefined ? [] : [{ location: variable, ...unusable }];
  });
}
