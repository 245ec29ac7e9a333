// A window in which the vendor's component runs: the page, or a separate frame. `fetch` is wrapped once in each window,
// so that a request of the component has the newest guest token of its embed, and is not sent after the embed was
// removed. All other requests are unchanged.
import { createError } from './guest-token-error.ts';
import type { GuestTokens } from './guest-tokens.ts';

/** So that two copies of this module in a page share one realm. */
export type RealmWindow = Window & typeof globalThis & { process?: unknown; dbn?: unknown; guestTokenRealm?: Realm };

/** The component's script: its address, and further attributes of the element (`integrity`, `nonce`). */
export type ComponentScript = string | { readonly src: string; readonly integrity?: string; readonly nonce?: string };

export interface Realm {
  readonly window: RealmWindow;
  /** The rights whose data the component of this window has shown: it caches data by dashboard, not by user. */
  owner?: string | undefined;
  /** Whether the component sends its requests through `fetch`, so that they get the newest token. */
  isServed: boolean;
  /** The token that an element was created with → the sessions that it came from. */
  readonly sessions: Map<string, Set<GuestTokens>>;
  /** The component's script is loading. */
  loading?: Promise<unknown> | undefined;
}

const tokenHeader = 'x-plugin-token';

export function realmOf(inner: RealmWindow): Realm {
  if (inner.guestTokenRealm) return inner.guestTokenRealm;
  const realm: Realm = (inner.guestTokenRealm = { window: inner, isServed: false, sessions: new Map() });
  const fetch = inner.fetch.bind(inner);
  inner.fetch = async (input, init) => {
    // A Request has headers; an address has none.
    const headers = new Headers(init?.headers ?? (input as Partial<Request>).headers);
    const sessions = realm.sessions.get(headers.get(tokenHeader) ?? '');
    if (!sessions) return fetch(input, init);
    realm.isServed = true;
    // Rejects if all sessions have ended or have other rights: then the request must not be sent.
    headers.set(tokenHeader, await Promise.any([...sessions].map((tokens) => tokens.get(undefined, realm.owner))));
    return fetch(input, { ...init, headers });
  };
  return realm;
}

/** From now on, requests with this token get the newest one of the session. */
export function serveToken({ sessions }: Realm, token: string, tokens: GuestTokens): void {
  /** The maximum number of tokens; the oldest, of elements that were removed, are forgotten. */
  const maxTokens = 1_000;
  sessions.set(token, (sessions.get(token) ?? new Set<GuestTokens>()).add(tokens));
  for (const [oldest] of sessions) if (sessions.size > maxTokens) sessions.delete(oldest);
}

/** Loads the component once per window. Without a script: waits until the app has loaded it. */
export async function loadComponent(realm: Realm, tag: string, script: ComponentScript | undefined): Promise<void> {
  const { window: inner } = realm;
  const { customElements } = inner;
  if (customElements.get(tag)) return;
  if (!script) return void (await customElements.whenDefined(tag));
  // The component reads it while it is loading.
  inner.process ??= { env: { NODE_ENV: 'production' } };
  await (realm.loading ??= new Promise((resolve) => {
    const element = document.createElement('script');
    Object.assign(element, { type: 'module' }, typeof script === 'string' ? { src: script } : script);
    // Relative to the page, also in a frame.
    element.src = String(element.src);
    element.onload = element.onerror = resolve;
    inner.document.head.append(element);
  }));
  if (!customElements.get(tag)) {
    realm.loading = undefined;
    throw createError('COMPONENT_NOT_LOADED', 'The component cannot be loaded.', { terminal: true });
  }
  // The component needs its style sheet in its shadow trees, which copy the text of this element. In the page it would
  // change the page's headings and margins, so only its fonts stay, which work only here.
  const sheet = inner.document.querySelector<HTMLStyleElement>('#dbn-styles')?.sheet;
  for (let index = sheet?.cssRules.length ?? 0; sheet && index--;)
    if (!sheet.cssRules[index]?.cssText.startsWith('@font-face')) sheet.deleteRule(index);
}

/**
 * Creates a frame in `parent`, with a window in which no component has run. A dashboard is as high as its window, so
 * its frame is as high as the page's window. For other embeds, the frame gets the height of its content.
 */
export function openFrame(parent: Element, owner: string, isDashboard: boolean): Realm {
  const frame = Object.assign(document.createElement('iframe'), {
    title: 'Dashboard',
    style: 'display:block;width:100%;height:100vh;border:0',
  });
  parent.append(frame);
  const inner = frame.contentWindow as RealmWindow;
  // A document that a script of the page opens has the page's address, which the component reports as its origin.
  inner.document.open();
  inner.document.write('<!doctype html><body style="margin:0">');
  inner.document.close();
  inner.dbn = (window as RealmWindow).dbn;
  const { body } = inner.document;
  if (!isDashboard) new inner.ResizeObserver(() => (frame.style.height = `${body.scrollHeight}px`)).observe(body);
  return Object.assign(realmOf(inner), { owner });
}
