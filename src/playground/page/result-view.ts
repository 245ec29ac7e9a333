// The right side of the page: the request with the source of every field, or the refusal with its rule; the difference
// between two users or policies; and the policy tests.
import type { Place, PlacedMessage } from './editor.ts';
import { asText, element } from './elements.ts';
import type { Evaluation, ShownExplanation, Field, FieldChange } from './request-evaluation.ts';

export interface ResultActions {
  /** Shows a position of the policy. */
  readonly goToPolicy: (place: Place) => void;
  readonly goToTests: (place: Place) => void;
}

const placeOf = (position: string): Place => {
  const [, line = '1', column = '1'] = /:(\d+):(\d+)$/.exec(position) ?? [];
  return { line: Number(line), column: Number(column) };
};

function fieldRow({ path, value, expression, position, claims }: Field, goToPolicy: ResultActions['goToPolicy']): Node {
  const text = `${path}: ${asText(value)}`;
  if (expression === undefined || position === undefined) return element('div', { class: 'row' }, text);
  const source = element('div', { class: 'source', hidden: '' });
  const read = (claims ?? []).map(({ name, value: claim }) => `${name} = ${asText(claim)}`).join(', ');
  source.append(
    element('p', {}, element('code', {}, `\${${expression}}`), ` on line ${placeOf(position).line}`),
    element('p', { class: 'quiet' }, read === '' ? 'Reads no claim.' : `Claims read: ${read}`),
  );
  const button = element('button', { type: 'button', class: 'row', 'aria-expanded': 'false' }, text);
  button.addEventListener('click', () => {
    source.hidden = !source.hidden;
    button.setAttribute('aria-expanded', String(!source.hidden));
    goToPolicy(placeOf(position));
  });
  const group = element('div');
  group.append(button, source);
  return group;
}

function verdict(explanation: ShownExplanation): HTMLElement {
  const { decision, dataApp = 'no data app', denial } = explanation;
  if (decision === 'permit') return element('p', { class: 'verdict permit' }, `Permitted for ${dataApp}`);
  return element('p', { class: 'verdict deny' }, `Denied: ${denial?.code ?? ''} (${denial?.reason ?? ''})`);
}

function denialRows({ denial }: ShownExplanation, goToPolicy: ResultActions['goToPolicy']): readonly Node[] {
  if (denial === undefined) return [];
  const rows: Node[] = [element('p', {}, `${denial.problem}.`)];
  if (denial.message !== undefined) rows.push(element('p', {}, `The user sees: “${denial.message}”`));
  if (denial.claim !== undefined) rows.push(element('p', {}, 'Claim: ', element('code', {}, denial.claim)));
  if (denial.rule !== undefined) {
    rows.push(element('p', {}, `${denial.rule.path}: `, element('code', {}, denial.rule.expression)));
  }
  if (denial.position !== undefined) {
    const place = placeOf(denial.position);
    const button = element('button', { type: 'button' }, `Show line ${place.line} of the policy`);
    button.addEventListener('click', () => goToPolicy(place));
    rows.push(button);
  }
  return rows;
}

export function decisionView({ explanation, problems }: Evaluation, { goToPolicy }: ResultActions): readonly Node[] {
  if (explanation === undefined) {
    const errors = problems.filter(({ severity }) => severity === 'error').length;
    return [
      element('p', { class: 'verdict deny' }, 'The policy does not load'),
      element(
        'p',
        {},
        `${errors} problem${errors === 1 ? '' : 's'} below the policy. The service would not start with it.`,
      ),
    ];
  }
  const { fields = [], apiKey, requestSha256 } = explanation;
  return [
    verdict(explanation),
    ...denialRows(explanation, goToPolicy),
    ...fields.map((field) => fieldRow(field, goToPolicy)),
    ...(apiKey === undefined ? [] : [element('p', { class: 'quiet' }, `Sent with the key in ${apiKey}`)]),
    ...(requestSha256 === undefined ? [] : [element('p', { class: 'quiet' }, `requestSha256 ${requestSha256}`)]),
  ];
}

const cell = (change: FieldChange, side: 'before' | 'after'): HTMLElement =>
  change[side] === undefined ? element('td', { class: 'quiet' }, 'absent') : element('td', {}, asText(change[side]));

export function differenceView({ explanation, other }: Evaluation): readonly Node[] {
  if (other === undefined) {
    return [
      element(
        'p',
        {},
        'Fill in “compare with” next to the claims or the policy: another user, another policy, or both.',
      ),
      element(
        'p',
        { class: 'quiet' },
        'For example: what can an administrator see that a viewer cannot? What would the new policy change?',
      ),
    ];
  }
  if (other.problems.length > 0) return [element('p', { class: 'verdict deny' }, 'The other policy does not load')];
  if (explanation === undefined || other.explanation === undefined) return [];
  const rows: Node[] = [
    element('h3', {}, 'First'),
    verdict(explanation),
    element('h3', {}, 'Compared with'),
    verdict(other.explanation),
  ];
  const { changes } = other;
  if (changes === undefined) return rows;
  if (changes.length === 0) return [...rows, element('p', {}, 'Both get exactly the same request.')];
  const count = (direction: FieldChange['direction']): number =>
    changes.filter((change) => change.direction === direction).length;
  rows.push(
    element(
      'p',
      { class: 'directions' },
      `The second gets more in ${count('wider')}, less in ${count('narrower')}; undecided: ${count('changed')}.`,
    ),
  );
  const head = ['Field', 'First', 'Compared with'].map((title) => element('th', { scope: 'col' }, title));
  const body = changes.map((change) =>
    element(
      'tr',
      {},
      element(
        'th',
        { scope: 'row' },
        element('code', {}, change.path),
        ' ',
        element('span', { class: `direction ${change.direction}` }, change.direction),
      ),
      cell(change, 'before'),
      cell(change, 'after'),
    ),
  );
  rows.push(
    element(
      'table',
      { class: 'sides' },
      element('thead', {}, element('tr', {}, ...head)),
      element('tbody', {}, ...body),
    ),
  );
  return rows;
}

const gapRow = ({ line, column, message }: PlacedMessage, goToPolicy: ResultActions['goToPolicy']): Node => {
  const button = element('button', { type: 'button', class: 'row' }, `line ${line}: ${message}`);
  button.addEventListener('click', () => goToPolicy({ line, column }));
  return button;
};

export function testsView({ tests }: Evaluation, { goToPolicy, goToTests }: ResultActions): readonly Node[] {
  if (tests === undefined) return [element('p', {}, 'Write policy tests in the tab “tests” next to the policy.')];
  if (tests.problems.length > 0) {
    return tests.problems.map(({ line, message }) =>
      element('p', { class: 'verdict deny' }, `tests, line ${line}: ${message}`),
    );
  }
  const failed = tests.results.filter(({ passed }) => !passed).length;
  const rows: Node[] = [
    element(
      'p',
      { class: `verdict ${failed === 0 ? 'permit' : 'deny'}` },
      `${tests.results.length - failed} passed, ${failed} failed. Coverage ${tests.coveredPercent} %`,
    ),
  ];
  for (const { name, line, passed, differences } of tests.results) {
    const mark = element('span', { class: passed ? 'mark-good' : 'mark-bad' }, passed ? '✓ ' : '✗ ');
    const button = element('button', { type: 'button', class: 'row' }, mark, name);
    button.addEventListener('click', () => goToTests({ line, column: 1 }));
    rows.push(button, ...differences.map((text) => element('p', { class: 'source' }, text)));
  }
  if (tests.gaps.length > 0) {
    rows.push(element('h3', {}, 'Not covered by any test'), ...tests.gaps.map((gap) => gapRow(gap, goToPolicy)));
  }
  return rows;
}
