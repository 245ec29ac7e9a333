// The page: one request of a chosen user, valid or manipulated, through all four steps, with its result.
import * as calls from './calls.js';
import { byId, element, show } from './elements.js';
import { showPolicy } from './policy-view.js';
import * as steps from './steps.js';

const attacks = [
  { id: 'client-id', label: 'Send my own clientId', kind: 'valid', body: { clientId: 'globex' }, expected: 400 },
  { id: 'other-app', label: 'Request another data app', kind: 'valid', body: { dataApp: 'payroll' }, expected: 403 },
  { id: 'tampered', label: 'Change the token’s claims', kind: 'tampered', expected: 401 },
  { id: 'expired', label: 'Use an expired token', kind: 'expired', expected: 401 },
  { id: 'no-token', label: 'Send no token', expected: 401 },
];
const honest = { id: 'honest', kind: 'valid', expected: 200 };

const demo = await calls.loadDemo();
const isReal = demo.simulatedUrl === undefined;
/** Counts runs, so that a slow one never shows its results after a later run has started. */
let latest = 0;

function showStep(card, { content, node: [name, state, text] }) {
  show(card, ...content);
  const node = document.querySelector(`[data-node="${name}"]`);
  node.dataset.state = state;
  node.querySelector('span').textContent = text;
}

function showVerdict(state, text) {
  byId('verdict').dataset.state = state;
  byId('verdict').textContent = text;
}

function verdictOf({ id, expected }, { status, body }) {
  const what = `${status} ${body.error?.code ?? ''}`.trim();
  if (status !== expected)
    return [
      'bad',
      id === 'honest' ? `No guest token: ${what}. ${body.error?.message}` : `Expected ${expected}: ${what}.`,
    ];
  return [
    'good',
    id === 'honest' ? 'A guest token with the rights that the policy allows.' : `Refused, as expected: ${what}.`,
  ];
}

async function stepsAfterToken(user, token, before, isCurrent) {
  const opened = isReal ? steps.realDashboardStep() : await steps.openedStep(demo.simulatedUrl, demo.embedIds, token);
  const { count, request } = await calls.received(token);
  if (!isCurrent()) return;
  showStep('dashboard', opened);
  const step = (explained) =>
    isReal ? steps.sentToRealApiStep(explained) : steps.receivedStep(request, count === before, explained);
  showStep('received', step());
  // Another process finds the origins of the values. Nothing else waits for it.
  void calls.explain(user.id).then(
    (explained) => isCurrent() && showStep('received', step(explained)),
    () => undefined,
  );
}

async function stepsWithoutToken(status, before, isCurrent) {
  const { count } = await calls.received();
  if (!isCurrent()) return;
  showStep('dashboard', steps.noTokenStep());
  // The real API does not report its calls. Only a 5xx can come from it.
  showStep('received', steps.notReceivedStep(isReal ? status < 500 : count === before));
}

async function attempt(trial, user, isCurrent) {
  const { count: before } = await calls.received();
  const accessToken = trial.kind === undefined ? undefined : await calls.signIn(user.id, trial.kind);
  const answer = await calls.askForGuestToken(demo.proxyUrl, accessToken, trial.body);
  if (!isCurrent()) return;
  showStep('call', steps.requestStep(user, accessToken, trial.body));
  showStep('answer', steps.answeredStep(answer, isReal));
  if (demo.hasLog)
    void calls.auditLine(answer.requestId).then(
      (line) => isCurrent() && showStep('answer', steps.answeredStep(answer, isReal, line)),
      () => undefined,
    );
  const { token } = answer.body;
  byId('steps').toggleAttribute('data-refused', token === undefined);
  if (token === undefined) await stepsWithoutToken(answer.status, before, isCurrent);
  else await stepsAfterToken(user, token, before, isCurrent);
  if (isCurrent()) showVerdict(...verdictOf(trial, answer));
}

/** On a small screen the result is below the control. */
function goToResult() {
  const { top } = byId('route').getBoundingClientRect();
  if (top > innerHeight * 0.6)
    byId('route').scrollIntoView({
      behavior: matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth',
    });
}

async function run(trial) {
  latest += 1;
  const mine = latest;
  const isCurrent = () => mine === latest;
  const chosen = document.querySelector('input[name="user"]:checked').value;
  const user = demo.users.find(({ id }) => id === chosen);
  for (const button of document.querySelectorAll('[data-try]'))
    button.setAttribute('aria-pressed', String(button.dataset.try === trial.id));
  byId('steps').setAttribute('aria-busy', 'true');
  showVerdict('', 'Waiting for the answer …');
  try {
    await attempt(trial, user, isCurrent);
  } catch (error) {
    if (isCurrent()) showVerdict('bad', `The demo does not answer (${error.message}). Is it still running?`);
  }
  if (isCurrent()) byId('steps').setAttribute('aria-busy', 'false');
}

function userChoice({ id, name, title, claims }, index) {
  const input = element('input', { type: 'radio', name: 'user', value: id });
  input.checked = index === 0;
  input.addEventListener('change', () => void run(honest).then(goToResult));
  const scope = claims.role === 'admin' ? 'every region' : `${claims.region}: ${claims.countries.join(', ')}`;
  const lines = [element('strong', {}, name), element('span', {}, title), element('small', {}, scope)];
  return element('label', {}, input, element('span', { class: 'user' }, ...lines));
}

function attackButton(attack) {
  const button = element('button', { type: 'button', 'data-try': attack.id }, attack.label);
  button.addEventListener('click', () => void run(attack).then(goToResult));
  return button;
}

byId('mode').textContent = isReal ? `Real API: ${demo.realApiUrl}` : 'Simulated Databrain';
if (isReal) byId('received-title').textContent = 'What the proxy sends';
byId('users').append(...demo.users.map(userChoice));
byId('attacks').append(...attacks.map(attackButton));
document.querySelector('[data-try="honest"]').addEventListener('click', () => void run(honest).then(goToResult));
byId('component-link').hidden = !demo.hasComponent;
await run(honest);
showPolicy(await calls.loadPolicy());
