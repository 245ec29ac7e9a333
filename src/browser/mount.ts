// One dashboard or metric in one element of the page, kept alive with the tokens of a session. A new token does not touch
// the view if the component's requests were seen to carry one; otherwise the element is created anew just before its
// token ends. Tokens that may see something else never meet a component that has shown other data.
import { defineElement } from './custom-element.ts';
import { createError, type GuestTokenError } from './guest-token-error.ts';
import type { GuestTokenEvent, GuestTokens, TokenEvent } from './guest-tokens.ts';
import { loadComponent, openFrame, realmOf, serveToken, type ComponentScript, type Realm } from './realm.ts';

export interface MountOptions {
  /** The session of the user: from `createGuestTokens`. */
  readonly tokens: GuestTokens;
  /** What `allowedEmbeds` of the policy names. */
  readonly embedId: string;
  /** Default: dashboard. */
  readonly kind?: 'dashboard' | 'metric';
  /** Further attributes of the vendor's element, such as `theme` or `options`. */
  readonly attributes?: Readonly<Record<string, string>>;
  /** Where the vendor's component is loaded from, if the app does not load it itself. */
  readonly script?: ComponentScript | undefined;
  /** The element is on the page with its first token. */
  readonly onReady?: (() => void) | undefined;
  /** A further token has come. */
  readonly onRenewed?: (() => void) | undefined;
  /** Something failed; unless the error is terminal, it is tried again. */
  readonly onError?: ((error: GuestTokenError) => void) | undefined;
}

export interface Mounted {
  /** Shows another embed, other attributes, or the data of another session. */
  readonly update: (changes: Partial<MountOptions>) => void;
  /** Removes the view and ends everything that this mount started. */
  readonly stop: () => void;
}

const anchorTag = 'guest-token-anchor';

/** An element that takes no space, for what is mounted. */
interface Anchor extends HTMLElement {
  enter?: () => void;
  leave?: () => void;
}

/** Two copies of this module on a page find each other's mounts. */
interface Holder {
  guestTokenMount?: Mounted;
}

/** What was mounted into the element and not stopped. */
export const mountedIn = (parent: Element): Mounted | undefined => (parent as Holder).guestTokenMount;
const eventAttribute = 'handle-server-event';

/** A window whose functions `handle-server-event` may name. */
type EventWindow = Record<string, ((event: { readonly type?: unknown } | undefined) => void) | undefined>;

/** Mounts into `parent`, whose other children stay. What was mounted there before is stopped. */
export function mount(parent: Element, initial: MountOptions): Mounted {
  /** How long before the end of its token an element is created anew. */
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
  /** Counts what was shown and removed, so that what loads slowly never appears later. */
  let generation = 0;
  // What is on the page: the vendor's element, where it runs, and the token that it was created with.
  let element: HTMLElement | undefined;
  let realm: Realm | undefined;
  let shown: TokenEvent | undefined;
  /** The component has said that its token is no longer good. */
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

  /** Removes what is shown, and shows the embed to somebody who may see this. */
  async function show(grant: string): Promise<void> {
    clear();
    const mine = generation;
    try {
      const page = realmOf(window);
      page.owner ??= grant;
      // The page itself for the first data that its component shows, a frame for any other.
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

  /** Only what differs is set: the component looks at every change. */
  function setAttributes(target: Element, token: string): void {
    const { embedId, kind, attributes } = options;
    const wanted = { ...attributes, [eventAttribute]: eventFunction, [`${kind}-id`]: embedId, token };
    for (const [name, value] of Object.entries(wanted))
      if (target.getAttribute(name) !== value) target.setAttribute(name, value);
  }

  /** The same embed for the same user with the newest token: drawn at once from what the component remembers. */
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
