// A window in which the vendor's component runs: the page itself, or a frame of its own. In each one `fetch` is wrapped
// once, so that a request of the component carries the newest guest token of its embed, and none at all once the embed
// is gone. Every other request passes through untouched.
import { createError } from './guest-token-error.ts';
import type { GuestTokens } from './guest-tokens.ts';

/** Two copies of this module on a page share one realm. */
export type RealmWindow = Window & typeof globalThis & { process?: unknown; dbn?: unknown; guestTokenRealm?: Realm };

/** The component's script: its address, and what else the element should have (`integrity`, `nonce`). */
export type ComponentScript = string | { readonly src: string; readonly integrity?: string; readonly nonce?: string };

export interface Realm {
  readonly window: RealmWindow;
  /** Whose data the component of this window has seen: it keeps answers by dashboard, whoever the user is. */
  owner?: string | undefined;
  /** A request of the component was seen to carry a token: the next ones carry the newest. */
  isServed: boolean;
  /** The token that an element was created with → the sessions that gave it. */
  readonly sessions: Map<string, Set<GuestTokens>>;
  /** The component's script is on its way. */
  loading?: Promise<unknown> | undefined;
}

const tokenHeader = 'x-plugin-token';

export function realmOf(inner: RealmWindow): Realm {
  if (inner.guestTokenRealm) return inner.guestTokenRealm;
  const realm: Realm = (inner.guestTokenRealm = { window: inner, isServed: false, sessions: new Map() });
  const fetch = inner.fetch.bind(inner);
  inner.fetch = async (input, init) => {
    // Of a Request; an address has none.
    const headers = new Headers(init?.headers ?? (input as Partial<Request>).headers);
    const sessions = realm.sessions.get(headers.get(tokenHeader) ?? '');
    if (!sessions) return fetch(input, init);
    realm.isServed = true;
    // Rejects once every session has ended or may see something else: such a request must not leave.
    headers.set(tokenHeader, await Promise.any([...sessions].map((tokens) => tokens.get(undefined, realm.owner))));
    return fetch(input, { ...init, headers });
  };
  return realm;
}

/** From now on requests with this token carry the newest one of the session. */
export function serveToken({ sessions }: Realm, token: string, tokens: GuestTokens): void {
  /** Tokens of elements that are long gone are forgotten beyond this number. */
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
  // The component reads it while it loads.
  inner.process ??= { env: { NODE_ENV: 'production' } };
  await (realm.loading ??= new Promise((resolve) => {
    const element = document.createElement('script');
    Object.assign(element, { type: 'module' }, typeof script === 'string' ? { src: script } : script);
    // Relative to the page, also where it runs in a frame.
    element.src = String(element.src);
    element.onload = element.onerror = resolve;
    inner.document.head.append(element);
  }));
  if (!customElements.get(tag)) {
    realm.loading = undefined;
    throw createError('COMPONENT_NOT_LOADED', 'The component cannot be loaded.', { terminal: true });
  }
  // The component's reset is meant for its shadow trees, which copy the text of this element; as a style sheet of the
  // page it would change the page's own headings and margins. Fonts work only from here.
  const sheet = inner.document.querySelector<HTMLStyleElement>('#dbn-styles')?.sheet;
  for (let index = sheet?.cssRules.length ?? 0; sheet && index--;)
    if (!sheet.cssRules[index]?.cssText.startsWith('@font-face')) sheet.deleteRule(index);
}

/**
 * A frame in `parent` with a window that no component has run in. A dashboard is as high as its window, so its frame is as
 * high as the page's; anything else has a height of its own, which its frame takes.
 */
export function openFrame(parent: Element, owner: string, isDashboard: boolean): Realm {
  const frame = Object.assign(document.createElement('iframe'), {
    title: 'Dashboard',
    style: 'display:block;width:100%;height:100vh;border:0',
  });
  parent.append(frame);
  const inner = frame.contentWindow as RealmWindow;
  // Opened by a script of the page, the document has the page's address: the component reports it as its origin.
  inner.document.open();
  inner.document.write('<!doctype html><body style="margin:0">');
  inner.document.close();
  inner.dbn = (window as RealmWindow).dbn;
  const { body } = inner.document;
  if (!isDashboard) new inner.ResizeObserver(() => (frame.style.height = `${body.scrollHeight}px`)).observe(body);
  return Object.assign(realmOf(inner), { owner });
}
