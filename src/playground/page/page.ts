// The playground page: five editors, one request after every pause in typing, three views of the result.
import { claimsPresets, type ClaimsPreset } from '../../policy/trial/claims-presets.ts';
import { decodeJwt, readClaims } from './claims.ts';
import { createPolicyCompletion } from './complete-policy.ts';
import { createEditor, type Editor, type PlacedMessage } from './editor.ts';
import { byId, connectTabs, element } from './elements.ts';
import { requestEvaluation, type Evaluation, type EvaluationInput } from './request-evaluation.ts';
import { decisionView, differenceView, testsView, type ResultActions } from './result-view.ts';
import { fromFragment, toFragment, type Scratch } from './share.ts';

const typingPauseMs = 200;

/** A preset as JSON, valid for an hour from now. */
function textOf({ claims }: ClaimsPreset): string {
  const iat = Math.floor(Date.now() / 1000);
  return `${JSON.stringify({ ...claims, iat, exp: iat + 3_600 }, null, 2)}\n`;
}

const getJson = async (path: string): Promise<unknown> => (await fetch(path)).json();

async function start(): Promise<void> {
  const [schema, initial] = await Promise.all([
    getJson('policy.schema.json') as Promise<Parameters<typeof createPolicyCompletion>[0]>,
    getJson('start') as Promise<{ policy: string; tests: string }>,
  ]);
  const notice = byId('notice');
  const dataApp = byId('data-app') as HTMLSelectElement;
  const [files, users] = ['files', 'users', 'results'].map((name) =>
    connectTabs(document.querySelector(`[data-tabs=${name}]`) ?? document.body),
  );

  let timer: ReturnType<typeof setTimeout> | undefined;
  let running = new AbortController();
  const changed = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => void refresh(), typingPauseMs);
  };
  const onPaste = (text: string): string | undefined => {
    const claims = decodeJwt(text);
    if (claims !== undefined) notice.textContent = 'The JWT was decoded in this page. Its signature was not checked.';
    return claims;
  };
  const complete = createPolicyCompletion(schema);
  const editors = {
    policy: createEditor(byId('panel-policy'), { label: 'Policy', onChange: changed, complete }),
    tests: createEditor(byId('panel-tests'), { label: 'Policy tests', onChange: changed }),
    otherPolicy: createEditor(byId('panel-other-policy'), {
      label: 'Policy to compare with',
      onChange: changed,
      complete,
    }),
    claims: createEditor(byId('panel-claims'), { label: 'Claims', onChange: changed, onPaste }),
    otherClaims: createEditor(byId('panel-other-claims'), {
      label: 'Claims to compare with',
      onChange: changed,
      onPaste,
    }),
  } satisfies Record<keyof Scratch, Editor>;

  const actions: ResultActions = {
    goToPolicy: (place) => {
      files?.select('tab-policy');
      editors.policy.goTo(place);
    },
    goToTests: (place) => {
      files?.select('tab-tests');
      editors.tests.goTo(place, true);
    },
  };

  const showList = (id: string, problems: readonly PlacedMessage[], goTo: (problem: PlacedMessage) => void): void => {
    byId(id).replaceChildren(
      ...problems.map((problem) => {
        const button = element(
          'button',
          { type: 'button', class: problem.severity },
          `line ${problem.line}: ${problem.message}`,
        );
        button.addEventListener('click', () => goTo(problem));
        return element('li', {}, button);
      }),
    );
  };

  const show = (evaluation: Evaluation): void => {
    const { problems, dataApps, tests, other } = evaluation;
    editors.policy.showProblems(problems);
    editors.otherPolicy.showProblems(other?.problems ?? []);
    editors.tests.showProblems(tests?.problems ?? []);
    showList('problems', problems, (problem) => {
      files?.select('tab-policy');
      editors.policy.goTo(problem, true);
    });
    const chosen = dataApp.value;
    const names = dataApps.length === 0 && chosen !== '' ? [chosen] : dataApps;
    dataApp.replaceChildren(
      element('option', { value: '' }, "the policy's default"),
      ...names.map((name) => element('option', { value: name }, name)),
    );
    dataApp.value = names.includes(chosen) ? chosen : '';
    byId('panel-decision').replaceChildren(...decisionView(evaluation, actions));
    byId('panel-difference').replaceChildren(...differenceView(evaluation));
    byId('panel-run').replaceChildren(...testsView(evaluation, actions));
    document.body.dataset['evaluated'] = String(Number(document.body.dataset['evaluated'] ?? 0) + 1);
  };

  const toQuestion = (): EvaluationInput | string => {
    const claims = readClaims(editors.claims.text());
    const otherText = editors.otherClaims.text().trim();
    const other = otherText === '' ? undefined : readClaims(otherText);
    if ('problem' in claims) return claims.problem;
    if (other !== undefined && 'problem' in other) return `Compare with: ${other.problem}`;
    const otherPolicy = editors.otherPolicy.text();
    const tests = editors.tests.text();
    return {
      policy: editors.policy.text(),
      claims: claims.claims,
      dataApp: dataApp.value === '' ? undefined : dataApp.value,
      otherClaims: other?.claims,
      otherPolicy: otherPolicy.trim() === '' ? undefined : otherPolicy,
      tests: tests.trim() === '' ? undefined : tests,
    };
  };

  async function refresh(): Promise<void> {
    const question = toQuestion();
    const problem = typeof question === 'string' ? question : undefined;
    byId('claims-problems').replaceChildren(
      ...(problem === undefined ? [] : [element('li', {}, element('p', { class: 'error' }, problem))]),
    );
    if (typeof question === 'string') return;
    running.abort();
    running = new AbortController();
    try {
      show(await requestEvaluation(question, running.signal));
    } catch (error) {
      if (error instanceof Error && error.name !== 'AbortError') notice.textContent = error.message;
    }
  }

  const fill = (scratch: Scratch): void => {
    for (const name of Object.keys(editors) as (keyof Scratch)[]) editors[name].setText(scratch[name]);
  };

  const preset = byId('preset') as HTMLSelectElement;
  preset.append(
    element('option', { value: '' }, 'choose …'),
    ...claimsPresets.map(({ name, title }) => element('option', { value: name }, title)),
  );
  preset.addEventListener('change', () => {
    const chosen = claimsPresets.find(({ name }) => name === preset.value);
    if (chosen === undefined) return;
    const isOther = !byId('panel-other-claims').hidden;
    editors[isOther ? 'otherClaims' : 'claims'].setText(textOf(chosen));
    preset.value = '';
  });
  dataApp.addEventListener('change', changed);
  byId('share').addEventListener('click', () => {
    const texts = Object.fromEntries(Object.entries(editors).map(([name, editor]) => [name, editor.text()]));
    void toFragment(texts as unknown as Scratch).then(async (fragment) => {
      history.replaceState(null, '', `#${fragment}`);
      await navigator.clipboard?.writeText(location.href).catch(() => undefined);
      notice.textContent =
        'The link contains policy, tests and claims in its fragment. Share it only with people who may see them.';
    });
  });

  const shared = await fromFragment(location.hash);
  const [plain] = claimsPresets;
  const claims = plain === undefined ? '{}' : textOf(plain);
  fill(shared ?? { policy: initial.policy, tests: initial.tests, claims, otherPolicy: '', otherClaims: '' });
  users?.select('tab-claims');
}

void start();
