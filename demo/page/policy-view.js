// Shows the policy line by line, and scrolls to one of its lines.
import { byId, element, show } from './elements.js';

export function showPolicy(text) {
  const lines = text.replace(/\n$/, '').split('\n');
  show(
    'policy',
    ...lines.map((line) => element('span', { class: 'policy-line', tabindex: '-1' }, line === '' ? ' ' : line)),
  );
}

/** @param number the line, from 1 */
export function goToPolicyLine(number) {
  const lines = document.querySelectorAll('.policy-line');
  for (const line of lines) line.classList.toggle('is-marked', line === lines[number - 1]);
  byId('policy-card').open = true;
  lines[number - 1]?.focus({ preventScroll: true });
  lines[number - 1]?.scrollIntoView({
    block: 'center',
    behavior: matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth',
  });
}
