// Shows one dashboard or metric in an element of the page, and keeps it working with the tokens of a session. If the
// component sends its requests through `fetch`, a new token does not change the view; otherwise the element is replaced
// just before its token expires. A token with other rights is never given to a component that has shown other data.
import { defineElement } from './custom-element.ts';
import { createError, type GuestTokenError } from './guest-token-error.ts';
import type { GuestTokenEvent, GuestTokens, TokenEvent } from './guest-tokens.ts';
import { loadComponent, openFrame, realmOf, serveToken, type ComponentScript, type Realm } from './realm.ts';

export interface MountOptions {
  /** The session of the user, from `createGuestTokens`. */
  readonly tokens: GuestTokens;
  /** The id of the embed, as in `allowedEmbeds` of the policy. */
  readonly embedId: string;
  /** Default: dashboard. */
  readonly kind?: 'dashboard' | 'metric';
  /** Further attributes of the vendor's element, such as `theme` or `options`. */
  readonly attributes?: Readonly<Record<string, string>>;
  /** The address of the vendor's component, if the app does not load it itself. */
  readonly script?: ComponentScript | undefined;
  /** Called when the element is in the page with its first token. */
  readonly onReady?: (() => void) | undefined;
  /** Called when a new token has arrived. */
  readonly onRenewed?: (() => void) | undefined;
  /** Called for every error. After an error that is not terminal, the session tries again. */
  readonly onError?: ((error: GuestTokenError) => void) | undefined;
}

export interface Mounted {
  /** Shows another embed, other attributes, or the data of another session. */
  readonly update: (changes: Partial<MountOptions>) => void;
  /** Removes the view and everything that this mount started. */
  readonly stop: () => void;
}

const anchorTag = 'guest-token-anchor';

/** An element without a box of its own, which contains the view. */
interface Anchor extends HTMLElement {
  enter?: () => void;
  leave?: () => void;
}

/** So that two copies of this module in a page find each other's mounts. */
interface Holder {
  guestTokenMount?: Mounted;
}

/** The current mount of the element, if there is one. */
export const mountedIn = (parent: Element): Mounted | undefined => (parent as Holder).guestTokenMount;
const eventAttribute = 'handle-server-event';

/** A window with the functions that `handle-server-event` names. */
type EventWindow = Record<string, ((event: { readonly type?: unknown } | undefined) => void) | undefined>;

/** Mounts into `parent`, whose other children stay. Stops an earlier mount there. */
export function mount(parent: Element, initial: MountOptions): Mounted {
  /** How long before its token expires an element is replaced. */
  const aheadMs = 5_000;
  const maxTimerMs = 2 ** 31 - 1;
  defineElement(
    anchorTag,
    (element: Anchor) => element.enter?.(),
    (element: Anchor) => element.leave?.(),
  );
  const anchor: Anchor = Object.assign(document.createElement(anchorTag), {
    style: 'display:contents',
    enter: resume,
    leave: pause,
  });
  const holder: Holder & Element = parent;
  const eventFunction = `guestTokenEvent${String(Math.random()).slice(2)}`;
  let options = { kind: 'dashboard', attributes: {}, ...initial };
  let unsubscribe: (() => void) | undefined;
  let latest: TokenEvent | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** Counts views, so that a view that loads slowly does not appear after it was removed. */
  let generation = 0;
  // The current view: the vendor's element, its window, and the token that it was created with.
  let element: HTMLElement | undefined;
  let realm: Realm | undefined;
  let shown: TokenEvent | undefined;
  /** The component has reported that its token has expired. */
  let isExpired = false;

  function clear(): void {
    generation += 1;
    clearTimeout(timer);
    element = realm = shown = undefined;
    anchor.replaceChildren();
    delete (window as unknown as EventWindow)[eventFunction];
  }

  function resume(): void {
    unsubscribe ??= options.tokens.subscribe(listen);
  }

  function pause(): void {
    unsubscribe?.();
    unsubscribe = latest = undefined;
    clear();
  }

  function report(error: GuestTokenError): void {
    if (error.terminal) {
      pause();
      if (error.code !== 'STOPPED') anchor.append(toMessage(error));
    }
    options.onError?.(error);
  }

  function listen(event: GuestTokenEvent): void {
    if (event.type === 'error') return report(event.error);
    latest = event;
    if (shown?.grant !== event.grant) return void show(event.grant);
    clearTimeout(timer);
    const wait = isExpired ? 0 : shown.left() - aheadMs;
    timer = setTimeout(replace, Math.min(wait, maxTimerMs));
    options.onRenewed?.();
  }

  /** Removes the view, and shows the embed for these rights. */
  async function show(grant: string): Promise<void> {
    clear();
    const mine = generation;
    try {
      const page = realmOf(window);
      page.owner ??= grant;
      // The page's component shows the data of the first rights only; for other rights a frame is used.
      const isOther = page.owner !== grant;
      if (isOther && !options.script)
        throw createError('COMPONENT_IN_USE', 'Reload the page to see this dashboard.', { terminal: true });
      const entered = isOther ? openFrame(anchor, grant, options.kind === 'dashboard') : page;
      await loadComponent(entered, `dbn-${options.kind}`, options.script);
      if (mine !== generation || !latest) return;
      realm = entered;
      element = createElement(realm, latest);
      (isOther ? entered.window.document.body : anchor).append(element);
      options.onReady?.();
    } catch (error) {
      if (mine === generation) report(error as GuestTokenError);
    }
  }

  function createElement(inside: Realm, event: TokenEvent): HTMLElement {
    const { token } = event;
    const { tokens, kind, attributes } = options;
    const created = inside.window.document.createElement(`dbn-${kind}`);
    serveToken(inside, token, tokens);
    shown = event;
    isExpired = false;
    (inside.window as unknown as EventWindow)[eventFunction] = (vendorEvent) => {
      if (vendorEvent?.type === 'TOKEN_EXPIRED' && element === created) {
        // The next token replaces the element at once. A failure comes to `listen` as well.
        isExpired = true;
        tokens.get(token).catch(() => undefined);
      }
      (window as unknown as EventWindow)[attributes[eventAttribute] ?? '']?.(vendorEvent);
    };
    setAttributes(created, token);
    return created;
  }

  /** Sets only what differs, because the component reacts to every change. */
  function setAttributes(target: Element, token: string): void {
    const { embedId, kind, attributes } = options;
    const wanted = { ...attributes, [eventAttribute]: eventFunction, [`${kind}-id`]: embedId, token };
    for (const [name, value] of Object.entries(wanted))
      if (target.getAttribute(name) !== value) target.setAttribute(name, value);
  }

  /** Replaces the element with one that has the newest token. The component shows it at once from its cache. */
  function replace(): void {
    if (!element || !realm || !latest || (realm.isServed && !isExpired)) return;
    const old = element;
    element = createElement(realm, latest);
    old.replaceWith(element);
  }

  function update(changes: Partial<MountOptions>): void {
    const before = options;
    options = { ...options, ...changes };
    const { tokens, embedId, kind, attributes } = options;
    if (tokens !== before.tokens) {
      pause();
      if (anchor.isConnected) resume();
    } else if (latest && (embedId !== before.embedId || kind !== before.kind)) {
      void show(latest.grant);
    } else if (element && shown) {
      for (const name in before.attributes) if (!(name in attributes)) element.removeAttribute(name);
      setAttributes(element, shown.token);
    }
  }

  mountedIn(parent)?.stop();
  holder.append(anchor);
  return (holder.guestTokenMount = {
    update: (changes) => void (anchor.enter && update(changes)),
    stop: () => {
      delete anchor.enter;
      pause();
      anchor.remove();
      delete holder.guestTokenMount;
    },
  });
}

const toMessage = ({ message, requestId }: GuestTokenError): Element =>
  Object.assign(document.createElement('p'), {
    className: 'guest-token-error',
    role: 'alert',
    textContent: requestId ? `${message} (${requestId})` : message,
  });
