// Shows JSON line by line. The name of a claim, with a link to the line of the policy, follows a value from this claim.
// The old value follows a changed value.
import { element } from './elements.js';
import { goToPolicyLine } from './policy-view.js';

const isSmall = (value) =>
  Array.isArray(value) && value.every((item) => typeof item !== 'object') && JSON.stringify(value).length < 44;

const scalar = (value) => element('span', { class: `json-${typeof value}` }, JSON.stringify(value));

function inline(value) {
  if (!Array.isArray(value)) return [scalar(value)];
  return ['[', ...value.flatMap((item, index) => (index === 0 ? [scalar(item)] : [', ', scalar(item)])), ']'];
}

function originMark({ claims, line }) {
  const names = claims.join(', ');
  if (line === undefined) return element('span', { class: 'claim' }, names);
  return element(
    'button',
    { type: 'button', class: 'claim', 'aria-label': `${names}: line ${line} of the policy` },
    names,
  );
}

/**
 * @param value the value to show
 * @param origins path → { claims: names of the claims that its value came from, line: of the policy }
 * @param before path → the old value
 */
export function bodyView(value, origins = new Map(), before = new Map()) {
  const lines = [];
  const line = (depth, path, ...parts) => {
    const origin = origins.get(path);
    const isFromClaim = origin !== undefined && origin.claims.length > 0;
    const isChanged = before.has(path);
    const made = element(
      'span',
      { class: `line${isFromClaim ? ' from-claim' : ''}${isChanged ? ' is-changed' : ''}` },
      ...parts,
      isFromClaim ? originMark(origin) : undefined,
      isChanged ? element('span', { class: 'before' }, 'was ', ...inline(before.get(path))) : undefined,
    );
    if (isFromClaim && origin.line !== undefined) made.addEventListener('click', () => goToPolicyLine(origin.line));
    made.style.paddingInlineStart = `${depth * 0.9}rem`;
    lines.push(made);
  };

  const write = (item, depth, path, before, after) => {
    if (typeof item !== 'object' || item === null || isSmall(item))
      return line(depth, path, ...before, ...inline(item), after);
    const isList = Array.isArray(item);
    const entries = Object.entries(item);
    if (entries.length === 0) return line(depth, path, ...before, isList ? '[]' : '{}', after);
    line(depth, path, ...before, isList ? '[' : '{');
    entries.forEach(([name, child], index) => {
      const childPath = isList ? `${path}[${name}]` : path === '' ? name : `${path}.${name}`;
      const label = isList ? [] : [element('span', { class: 'json-name' }, JSON.stringify(name)), ': '];
      write(child, depth + 1, childPath, label, index < entries.length - 1 ? ',' : '');
    });
    line(depth, '', isList ? ']' : '}', after);
  };

  write(value, 0, '', [], '');
  return element('pre', { class: 'json', tabindex: '0' }, ...lines);
}

/** From the output of `explain`: path of a field → the claims that it read and the line of the policy. */
export const originsByPath = ({ fields = [] } = {}) =>
  new Map(
    fields.map(({ path, position, claims = [] }) => {
      const [, line] = /:(\d+):\d+$/.exec(position ?? '') ?? [];
      return [
        path,
        { claims: claims.map(({ name }) => `claims.${name}`), line: line === undefined ? line : Number(line) },
      ];
    }),
  );
