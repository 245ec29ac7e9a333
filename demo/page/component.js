// Shows the vendor's component in a page that uses the helper like an app, next to a list of events.
import * as calls from './calls.js';
import { byId, element, show } from './elements.js';

const demo = await calls.loadDemo();
const { createGuestTokens, mount } = await import(`${demo.proxyUrl}/guest-token.js`);

const embeds = [
  { kind: 'dashboard', embedId: 'sales-overview', name: 'Sales overview' },
  { kind: 'dashboard', embedId: 'finance-report', name: 'Finance report' },
  { kind: 'metric', embedId: 'orders', name: 'Orders alone' },
];
const short = (token) => `${token.slice(0, 8)}…`;
const shownEvents = 8;

let tokens;
let mounted;
/** The last event with a token. */
let latest;
let lifetimeMs = 40_000;

function tell(text, state = '') {
  const entry = element('li', { class: state }, element('time', {}, new Date().toLocaleTimeString()), ' ', text);
  byId('events').prepend(entry);
  for (const old of [...byId('events').children].slice(shownEvents)) old.remove();
}

/** The vendor's element, in the page or in a frame. */
const vendorElement = () => {
  const inner = document.querySelector('#stage iframe')?.contentDocument ?? document;
  return inner.querySelector('dbn-dashboard, dbn-metric');
};

function onToken(event, user) {
  const before = latest === undefined ? undefined : vendorElement();
  latest = event;
  lifetimeMs = event.left();
  byId('token').textContent = short(event.token);
  if (before === undefined) return tell(`${user.name} has a token: ${short(event.token)}`, 'good');
  // Other listeners get the token at the same time. Check the view after them.
  setTimeout(() => {
    const isKept = vendorElement() === before;
    tell(`Renewed, ${short(event.token)} ${isKept ? 'The view was kept.' : 'The view was replaced.'}`, 'good');
  });
}

function onError(error) {
  if (error.code === 'STOPPED') return;
  tell(`${error.code}: ${error.message}${error.terminal ? '' : ' Trying again.'}`, 'bad');
}

function signInAs(user) {
  tokens?.stop();
  latest = undefined;
  show('token', 'none yet');
  byId('viewer').textContent = user.name;
  tokens = createGuestTokens({
    url: `${demo.proxyUrl}/guest-token`,
    getAccessToken: () => calls.signIn(user.id, 'short'),
  });
  tokens.subscribe((event) => (event.type === 'token' ? onToken(event, user) : onError(event.error)));
  if (mounted) mounted.update({ tokens });
  else mounted = mount(byId('stage'), { tokens, ...embeds[0], script: 'vendor.js' });
}

function showEmbed(chosen) {
  for (const button of byId('embeds').children)
    button.setAttribute('aria-pressed', String(button.dataset.embed === chosen.embedId));
  mounted?.update({ kind: chosen.kind, embedId: chosen.embedId });
}

function countDown() {
  const left = Math.max(0, latest?.left() ?? 0);
  byId('left').textContent = latest === undefined ? '' : `${Math.ceil(left / 1000)} s left`;
  byId('bar').style.width = `${Math.min(100, (left / lifetimeMs) * 100)}%`;
  byId('bar').classList.toggle('is-low', left < lifetimeMs * 0.25);
}

async function listCalls() {
  if (document.hidden) return;
  const rows = (await calls.componentCalls()).toReversed().map(({ path, token, handle, metricId, status }) => {
    const what = `${path.replace('/api/v2', '')}${metricId === undefined ? '' : ` ${metricId}`}`;
    const credential = token === undefined ? `client ${short(handle ?? '')}` : `token ${short(token)}`;
    return element('tr', {}, element('td', {}, what), element('td', {}, credential), element('td', {}, String(status)));
  });
  show('calls', ...rows);
}

function userChoice(user, index) {
  const input = element('input', { type: 'radio', name: 'user', value: user.id });
  input.checked = index === 0;
  input.addEventListener('change', () => signInAs(user));
  const lines = [element('strong', {}, user.name), element('span', {}, user.title)];
  return element('label', {}, input, element('span', { class: 'user' }, ...lines));
}

function embedChoice(embed) {
  const button = element('button', { type: 'button', 'data-embed': embed.embedId }, embed.name);
  button.addEventListener('click', () => showEmbed(embed));
  return button;
}

byId('users').append(...demo.users.map(userChoice));
byId('embeds').append(...embeds.map(embedChoice));
// The component fetches again after the `online` event of its window.
byId('again').addEventListener('click', () => {
  const view = vendorElement()?.ownerDocument.defaultView;
  view?.dispatchEvent(new view.Event('online'));
});
signInAs(demo.users[0]);
showEmbed(embeds[0]);
setInterval(countDown, 250);
setInterval(() => listCalls().catch(() => undefined), 1_000);
