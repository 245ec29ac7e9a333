// Shows JSON line by line and, behind a value that came from a claim, the claim's name.
import { element } from './elements.js';

const isSmall = (value) =>
  Array.isArray(value) && value.every((item) => typeof item !== 'object') && JSON.stringify(value).length < 44;

const scalar = (value) => element('span', { class: `json-${typeof value}` }, JSON.stringify(value));

function inline(value) {
  if (!Array.isArray(value)) return [scalar(value)];
  return ['[', ...value.flatMap((item, index) => (index === 0 ? [scalar(item)] : [', ', scalar(item)])), ']'];
}

/**
 * @param value what to show
 * @param origins path → names of the claims that its value came from
 */
export function bodyView(value, origins = new Map()) {
  const lines = [];
  const line = (depth, path, ...parts) => {
    const claims = origins.get(path) ?? [];
    const from = claims.length === 0 ? undefined : element('span', { class: 'claim' }, claims.join(', '));
    const made = element('span', { class: from === undefined ? 'line' : 'line from-claim' }, ...parts, from);
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

/** From what the proxy's `explain` printed: path of a field → names of the claims it read. */
export const claimsByPath = ({ fields = [] } = {}) =>
  new Map(fields.map(({ path, claims = [] }) => [path, claims.map(({ name }) => `claims.${name}`)]));
