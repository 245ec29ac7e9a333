// <guest-token-dashboard src="https://tokens.example.com/guest-token" dashboard-id="…" get-access-token="…">: `mount`
// as an HTML element. Elements with the same settings share one session. Events: `ready`, `renewed`, and `error` with a
// GuestTokenError as detail.
import { createGuestTokens, type GuestTokens, type GuestTokensOptions } from './guest-tokens.ts';
import { defineElement } from './custom-element.ts';
import { mount, mountedIn, type MountOptions } from './mount.ts';

const own: readonly string[] = [
  'src',
  'data-app',
  'get-access-token',
  'credentials',
  'dashboard-id',
  'metric-id',
  'script',
  'class',
];

/** Defines the element. Without a DOM, such as on a server, it does nothing. */
export function defineDashboardElement(): void {
  if (!globalThis.customElements) return;
  const sessions = new Map<string, GuestTokens>();

  /** The session of all elements with the same settings. It ends when the last of them is removed from the page. */
  function share(key: string, options: GuestTokensOptions): GuestTokens {
    const onIdle = (): void => {
      sessions.delete(key);
      tokens.stop();
    };
    const tokens = sessions.get(key) ?? createGuestTokens({ ...options, onIdle });
    sessions.set(key, tokens);
    return tokens;
  }

  /** Starts, or applies the current attributes. */
  function start(element: HTMLElement): void {
    const [url, dataApp, name, credentials, dashboardId, metricId, script] = own.map(
      (attribute) => element.getAttribute(attribute) ?? '',
    );
    const embedId = metricId || dashboardId;
    // Without a source of credentials, send no request.
    if (!element.isConnected || !url || !embedId || !(name || credentials)) return stop(element);
    const functions = window as unknown as Record<string, (fresh: boolean) => string>;
    // Attributes that HTML does not define are passed on to the vendor's element.
    const attributes: Record<string, string> = {};
    for (const { name, value } of element.attributes)
      if (!own.includes(name) && !(name in element)) attributes[name] = value;
    const send = (type: string, detail?: unknown): boolean => element.dispatchEvent(new CustomEvent(type, { detail }));
    const options: MountOptions = {
      tokens: share([url, dataApp, name].join(), {
        url,
        dataApp,
        getAccessToken: name ? (fresh) => (functions[name] as (fresh: boolean) => string)(fresh) : undefined,
      }),
      embedId,
      kind: metricId ? 'metric' : 'dashboard',
      attributes,
      script,
      onReady: () => send('ready'),
      onRenewed: () => send('renewed'),
      onError: (error) => send('error', error),
    };
    const mounted = mountedIn(element);
    if (mounted) mounted.update(options);
    else mount(element, options);
  }

  const stop = (element: HTMLElement): void => mountedIn(element)?.stop();
  defineElement('guest-token-dashboard', start, stop, [...own, 'theme', 'options']);
}
