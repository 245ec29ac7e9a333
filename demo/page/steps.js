// The four steps of one request, each as { content, node }: the content of its card, and its node on the route.
import { bodyView, originsByPath } from './body-view.js';
import * as calls from './calls.js';
import { dashboardView } from './dashboard-view.js';
import { element } from './elements.js';

const short = (token) => `${token.slice(0, 14)}…${token.slice(-6)}`;
const note = (...text) => element('p', { class: 'note' }, ...text);
const http = (...lines) => element('pre', { class: 'http', tabindex: '0' }, lines.join('\n'));
const pill = (isGood, text, attributes = {}) =>
  element('p', { class: `status ${isGood ? 'good' : 'refused'}`, ...attributes }, text);

/** Not verified: the browser shows its own token. */
function claimsOf(accessToken) {
  const payload = accessToken.split('.')[1].replaceAll('-', '+').replaceAll('_', '/');
  const bytes = Uint8Array.from(atob(payload), (character) => character.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}

/** The claims of the token; each claim that was changed after signing is shown with its original value. */
function claimsView(user, accessToken) {
  const claims = claimsOf(accessToken);
  const changed = Object.keys(user.claims).filter(
    (name) => JSON.stringify(claims[name]) !== JSON.stringify(user.claims[name]),
  );
  const before = new Map(changed.map((name) => [name, user.claims[name]]));
  const shown = bodyView(claims, new Map(), before);
  if (changed.length > 0)
    return [note('The claims were changed after the login signed them. The signature is not valid for them.'), shown];
  return [element('details', {}, element('summary', {}, 'Claims in the access token'), shown)];
}

export function requestStep(user, accessToken, body) {
  const lines = ['POST /guest-token'];
  if (accessToken !== undefined) lines.push(`Authorization: Bearer ${short(accessToken)}`);
  if (body !== undefined) lines.push('Content-Type: application/json', '', JSON.stringify(body));
  const content = [http(...lines)];
  if (body !== undefined) content.push(note('A dishonest page could add this body.'));
  else content.push(note('No body. The access token identifies the user.'));
  if (accessToken === undefined) content.splice(1, 1, note('No credentials.'));
  else content.push(...claimsView(user, accessToken));
  return { content, node: ['browser', 'good', user.name] };
}

/** The log that only the operator can read. */
function logView(line) {
  const { reason, ...rest } = line;
  const isRefusal = reason !== undefined;
  const members = Object.entries({ ...(reason !== undefined && { reason }), ...rest });
  const rows = members
    .filter(([name]) => !['level', 'time', 'message', 'requestId', 'code'].includes(name))
    .flatMap(([name, value]) => [element('dt', {}, name), element('dd', {}, String(value))]);
  return element(
    'div',
    { class: 'log', id: 'log' },
    isRefusal ? element('h3', {}, 'The operator’s log') : undefined,
    element('dl', {}, ...rows),
    note(isRefusal ? 'The browser does not get the reason.' : 'One line for every decision, without a token in it.'),
  );
}

/** @param line the operator's audit line, if the log is available */
export function answeredStep({ status, expiresIn, body }, isReal, line) {
  const isGood = status === 200;
  const shown = isReal && isGood ? { token: `${body.token.slice(0, 8)}… (the rest is hidden here)` } : body;
  const headers = expiresIn === null ? [] : [`Guest-Token-Expires-In: ${expiresIn}`];
  return {
    content: [
      element(
        'div',
        { class: 'beside' },
        element(
          'div',
          {},
          pill(isGood, String(status)),
          http(...headers, JSON.stringify(shown, null, 2)),
          note(
            isGood
              ? `A guest token, valid for ${Math.round(expiresIn / 60)} minutes.`
              : 'An error code and a fixed message. No guest token.',
          ),
        ),
        line && !isGood ? logView(line) : undefined,
      ),
      line && isGood
        ? element('details', {}, element('summary', {}, 'The operator’s audit line'), logView(line))
        : undefined,
    ],
    node: ['proxy', isGood ? 'good' : 'refused', isGood ? 'permits' : `refuses: ${status}`],
  };
}

export function notReceivedStep(isUntouched) {
  return {
    content: [
      note(
        isUntouched
          ? 'Nothing. The proxy refused the request.'
          : 'It sent no token: it refused the request, or could not be reached.',
      ),
    ],
    node: ['databrain', isUntouched ? 'unreached' : 'refused', isUntouched ? 'no request' : 'gave no token'],
  };
}

const waiting = 'Running the explain command to find the source of each value …';

/** @param explained the output of the proxy's `explain` command; undefined until it is available */
export function receivedStep(request, isReused, explained) {
  const at = new Date(request.receivedAt).toLocaleTimeString();
  const legend = element('span', { class: 'claim' }, '← claims.…');
  return {
    content: [
      bodyView(request.body, originsByPath(explained)),
      explained === undefined
        ? note(waiting)
        : note(
            legend,
            ' came from the access token: click it for its line in the policy. Everything else is written there as it is.',
          ),
      note(
        isReused
          ? `Received at ${at}. This time the proxy returned the same token again, without a call to Databrain.`
          : 'Received just now, with the API key that only the proxy knows.',
      ),
    ],
    node: ['databrain', 'good', isReused ? 'not called again' : 'gave a token'],
  };
}

/** @param explained as above */
export const sentToRealApiStep = (explained) => ({
  content: [
    note('The real Databrain does not show what it received. According to the explain command, the proxy sends this:'),
    explained === undefined ? note(waiting) : bodyView(explained.body ?? {}, originsByPath(explained)),
  ],
  node: ['databrain', 'good', 'gave a token'],
});

export const noTokenStep = () => ({
  content: [note('Without a token, no dashboard can be opened.')],
  node: ['dashboard', 'unreached', 'stays closed'],
});

export const realDashboardStep = () => ({
  content: [
    note(
      'The simulation is off, so this page has no dashboard to open. In your own page, pass the token to ',
      element('code', {}, '<dbn-dashboard token="…" dashboard-id="…">'),
      '.',
    ),
  ],
  node: ['dashboard', 'unreached', 'not on this page'],
});

async function openedEmbed(simulatedUrl, embedId, token) {
  const { accepted, status, body } = await calls.openDashboard(simulatedUrl, embedId, token);
  const verdict = pill(accepted, accepted ? 'Token accepted' : `${status}: ${body.reason}`, {
    'data-accepted': String(accepted),
  });
  const rest = accepted ? dashboardView(body) : note('The policy’s allowedEmbeds does not name it for this user.');
  return { accepted, content: [verdict, rest] };
}

export async function openedStep(simulatedUrl, embedIds, token) {
  const view = element('div', { class: 'embed', 'aria-live': 'polite' });
  const tabs = embedIds.map((id) => element('button', { type: 'button', 'data-embed': id }, id));
  const select = async (embedId) => {
    for (const tab of tabs) tab.setAttribute('aria-pressed', String(tab.dataset.embed === embedId));
    const { accepted, content } = await openedEmbed(simulatedUrl, embedId, token);
    if (tabs.some((tab) => tab.dataset.embed === embedId && tab.getAttribute('aria-pressed') === 'true'))
      view.replaceChildren(...content);
    return accepted;
  };
  for (const tab of tabs)
    tab.addEventListener('click', () =>
      select(tab.dataset.embed).catch(() =>
        view.replaceChildren(note('The demo does not answer. Is it still running?')),
      ),
    );
  const accepted = await select(embedIds[0]);
  return {
    content: [element('div', { class: 'tabs', role: 'group', 'aria-label': 'Embeds' }, ...tabs), view],
    node: ['dashboard', accepted ? 'good' : 'refused', accepted ? 'opens' : 'stays closed'],
  };
}
