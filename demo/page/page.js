// The page: for a chosen user one request through all four steps, honest or not, and how far it came.
import { bodyView, claimsByPath } from './body-view.js';
import * as calls from './calls.js';
import { dashboardView } from './dashboard-view.js';
import { byId, element, show } from './elements.js';

const attacks = [
  { id: 'client-id', label: 'Send my own clientId', kind: 'valid', body: { clientId: 'globex' }, expected: 400 },
  { id: 'other-app', label: 'Ask for another data app', kind: 'valid', body: { dataApp: 'payroll' }, expected: 403 },
  { id: 'tampered', label: 'Change the token’s claims', kind: 'tampered', expected: 401 },
  { id: 'expired', label: 'Use an expired token', kind: 'expired', expected: 401 },
  { id: 'no-token', label: 'Send no token', expected: 401 },
];

const demo = await calls.loadDemo();
/** Counts runs, so that a slow one cannot overwrite what a later one shows. */
let latest = 0;

const short = (token) => `${token.slice(0, 14)}…${token.slice(-6)}`;
const chosenUser = () => document.querySelector('input[name="user"]:checked').value;
const note = (...text) => element('p', { class: 'note' }, ...text);

function setNode(name, state, text) {
  const node = document.querySelector(`[data-node="${name}"]`);
  node.dataset.state = state;
  node.querySelector('span').textContent = text;
}

function showCall(accessToken, body) {
  const lines = ['POST /guest-token'];
  if (accessToken !== undefined) lines.push(`Authorization: Bearer ${short(accessToken)}`);
  if (body !== undefined) lines.push('Content-Type: application/json', '', JSON.stringify(body));
  show(
    'call',
    element('pre', { class: 'http', tabindex: '0' }, lines.join('\n')),
    note(
      accessToken === undefined
        ? 'No credentials at all.'
        : body === undefined
          ? 'No body: who the user is says the access token, and nothing else.'
          : 'The body is what a dishonest page would add.',
    ),
    accessToken === undefined ? undefined : claimsOf(accessToken),
  );
}

function claimsOf(accessToken) {
  const bytes = Uint8Array.from(
    atob(accessToken.split('.')[1].replaceAll('-', '+').replaceAll('_', '/')),
    (character) => character.charCodeAt(0),
  );
  const claims = JSON.parse(new TextDecoder().decode(bytes));
  return element('details', {}, element('summary', {}, 'Claims in the access token'), bodyView(claims));
}

function showAnswer({ status, expiresIn, body }) {
  const token = demo.simulatedUrl === undefined && body.token ? { token: `${body.token.slice(0, 8)}… (hidden)` } : body;
  show(
    'answer',
    element('p', { class: `status ${status < 400 ? 'good' : 'refused'}` }, String(status)),
    element(
      'pre',
      { class: 'http', tabindex: '0' },
      expiresIn === null ? '' : `Guest-Token-Expires-In: ${expiresIn}\n`,
      JSON.stringify(token, null, 2),
    ),
    note(
      status < 400
        ? `A guest token, good for ${Math.round(expiresIn / 60)} minutes.`
        : 'A code and a fixed sentence; no guest token.',
    ),
  );
}

async function showReceived(token, before, user) {
  if (token === undefined) {
    const { count } = await calls.received();
    const isUntouched = count === before;
    show('received', note(isUntouched ? 'Nothing. The request ended at the proxy.' : 'Databrain was asked.'));
    return setNode('databrain', isUntouched ? 'unreached' : 'good', isUntouched ? 'heard nothing' : 'was asked');
  }
  const [{ count, request }, explained] = await Promise.all([calls.received(token), calls.explain(user)]);
  const origins = claimsByPath(explained);
  if (request === null) {
    show(
      'received',
      note(
        'The real Databrain does not show what it received. This is what the proxy’s explain command says it sends:',
      ),
      bodyView(explained.body ?? {}, origins),
    );
    return setNode('databrain', 'good', 'gave a token');
  }
  const isReused = count === before;
  show(
    'received',
    bodyView(request.body, origins),
    note(
      element('span', { class: 'claim' }, 'claims.…'),
      ' marks a value that came from the access token; the rest stands in the policy.',
    ),
    note(
      isReused
        ? `Received at ${new Date(request.receivedAt).toLocaleTimeString()}. This time the proxy gave out the same token again, and Databrain was not asked.`
        : 'Received just now, with the API key that only the proxy knows.',
    ),
  );
  setNode('databrain', 'good', isReused ? 'not asked again' : 'gave a token');
}

async function showDashboard(token) {
  if (token === undefined) {
    show('dashboard', note('There is no token to open a dashboard with.'));
    return setNode('dashboard', 'unreached', 'stays closed');
  }
  if (demo.simulatedUrl === undefined) {
    show(
      'dashboard',
      note(
        'The simulation is off, so this page has no dashboard to open. In your own page, hand the token to <dbn-dashboard token="…" dashboard-id="…">.',
      ),
    );
    return setNode('dashboard', 'unreached', 'not part of this page');
  }
  const tabs = demo.embedIds.map((id) => element('button', { type: 'button', 'aria-pressed': 'false' }, id));
  const view = element('div', { class: 'embed', 'aria-live': 'polite' });
  const open = async (embedId) => {
    for (const tab of tabs) tab.setAttribute('aria-pressed', String(tab.textContent === embedId));
    const { accepted, status, body } = await calls.openDashboard(demo.simulatedUrl, embedId, token);
    view.replaceChildren(
      element(
        'p',
        { class: `status ${accepted ? 'good' : 'refused'}`, 'data-accepted': String(accepted) },
        accepted ? 'Token accepted' : `${status}: ${body.reason}`,
      ),
      accepted ? dashboardView(body) : note('The policy’s allowedEmbeds does not name this embed for this user.'),
    );
    return accepted;
  };
  for (const tab of tabs) tab.addEventListener('click', () => void open(tab.textContent));
  const accepted = await open(demo.embedIds[0]);
  show('dashboard', element('div', { class: 'tabs', role: 'group', 'aria-label': 'Embeds' }, ...tabs), view);
  setNode('dashboard', accepted ? 'good' : 'refused', accepted ? 'opens' : 'stays closed');
}

function showVerdict(attack, { status, body }) {
  const code = body.error?.code ?? '';
  const isRefused = status === attack?.expected;
  byId('verdict').dataset.state = attack === undefined ? (status < 400 ? 'good' : 'bad') : isRefused ? 'good' : 'bad';
  byId('verdict').textContent =
    attack === undefined
      ? status < 400
        ? 'The user has a guest token, and it shows what the policy allows.'
        : `No guest token: ${status} ${code}. ${body.error?.message ?? ''}`
      : isRefused
        ? `Refused, as it must be: ${status} ${code}.`
        : `Expected ${attack.expected}, but the answer was ${status} ${code}.`;
}

async function run(attack) {
  latest += 1;
  const mine = latest;
  const user = chosenUser();
  byId('steps').setAttribute('aria-busy', 'true');
  for (const button of document.querySelectorAll('[data-try]'))
    button.setAttribute('aria-pressed', String(button.dataset.try === (attack?.id ?? 'honest')));
  try {
    const kind = attack === undefined ? 'valid' : attack.kind;
    const accessToken = kind === undefined ? undefined : await calls.signIn(user, kind);
    const { count: before } = await calls.received();
    const answer = await calls.askForGuestToken(demo.proxyUrl, accessToken, attack?.body);
    if (mine !== latest) return;
    const { token } = answer.body;
    showCall(accessToken, attack?.body);
    showAnswer(answer);
    setNode('browser', 'good', demo.users.find(({ id }) => id === user).name);
    setNode(
      'proxy',
      token === undefined ? 'refused' : 'good',
      token === undefined ? `refuses: ${answer.status}` : 'permits',
    );
    await Promise.all([showReceived(token, before, user), showDashboard(token)]);
    if (mine !== latest) return;
    showVerdict(attack, answer);
  } catch (error) {
    byId('verdict').dataset.state = 'bad';
    byId('verdict').textContent = `The demo does not answer (${error.message}). Is it still running?`;
  } finally {
    if (mine === latest) byId('steps').setAttribute('aria-busy', 'false');
  }
}

function start() {
  byId('mode').textContent = demo.simulatedUrl === undefined ? `Real API: ${demo.realApiUrl}` : 'Simulated Databrain';
  if (demo.simulatedUrl === undefined) byId('received-title').textContent = 'What the proxy sends';
  demo.users.forEach(({ id, name, title, claims }, index) => {
    const input = element('input', { type: 'radio', name: 'user', value: id });
    input.checked = index === 0;
    input.addEventListener('change', () => void run());
    const scope = claims.role === 'admin' ? 'every region' : `${claims.region}: ${claims.countries.join(', ')}`;
    byId('users').append(
      element(
        'label',
        {},
        input,
        element(
          'span',
          { class: 'user' },
          element('strong', {}, name),
          element('span', {}, title),
          element('small', {}, scope),
        ),
      ),
    );
  });
  for (const attack of attacks) {
    const button = element('button', { type: 'button', 'data-try': attack.id }, attack.label);
    button.addEventListener('click', () => void run(attack));
    byId('attacks').append(button);
  }
  document.querySelector('[data-try="honest"]').addEventListener('click', () => void run());
  void calls.loadPolicy().then((text) => (byId('policy').textContent = text));
  void run();
}

start();
