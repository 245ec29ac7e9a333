// The requests of the page: to the demo's server, to the proxy, and for a dashboard.

async function post(path, body) {
  const response = await fetch(path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  return response.json();
}

export const loadDemo = async () => (await fetch('demo.json')).json();
export const loadPolicy = async () => (await fetch('policy.yaml')).text();
export const signIn = async (user, kind) => (await post('login', { user, kind })).accessToken;
export const received = (token) => post('received', { token });
export const explain = (user) => post('explain', { user });
export const auditLine = async (requestId) => (await post('audit', { requestId })).line;
export const componentCalls = async () => (await fetch('component-calls.json')).json();

/** The only request that an app needs. `accessToken` or `body` may be undefined. */
export async function askForGuestToken(proxyUrl, accessToken, body) {
  const headers = {};
  if (accessToken !== undefined) headers['Authorization'] = `Bearer ${accessToken}`;
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  const response = await fetch(`${proxyUrl}/guest-token`, {
    method: 'POST',
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return {
    status: response.status,
    expiresIn: response.headers.get('Guest-Token-Expires-In'),
    requestId: response.headers.get('X-Request-Id'),
    body: await response.json(),
  };
}

export async function openDashboard(simulatedUrl, embedId, token) {
  const response = await fetch(`${simulatedUrl}/simulated/dashboards/${embedId}`, {
    headers: { Authorization: `Bearer ${token}` },
  });
  return { accepted: response.ok, status: response.status, body: await response.json() };
}
