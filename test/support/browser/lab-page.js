// In the page of the browser tests: a stand-in for the vendor's component, what the app around the helper does, and
// counters of what the helper has running. Loaded before everything else.

window.lab = {
  /** The events that subscribers and mounts received, as short strings. */
  events: [],
  /** The `fresh` of every call of getAccessToken. */
  fresh: [],
  user: 'ann',
  server: new URLSearchParams(location.search).get('server'),
  requests: new Set(),
  timers: new Set(),
  listeners: 0,

  getAccessToken: async (fresh) => {
    lab.fresh.push(fresh);
    return `jwt-of-${lab.user}-${lab.fresh.length}`;
  },

  create: (options = {}) =>
    lab.helper.createGuestTokens({ url: `${lab.server}/guest-token`, getAccessToken: lab.getAccessToken, ...options }),

  note: (event) =>
    lab.events.push(event.type === 'token' ? event.token : `${event.error.code}${event.error.terminal ? '!' : ''}`),

  place: (id) => {
    const place = document.createElement('div');
    place.id = id;
    document.body.append(place);
    return place;
  },

  mount: (id, options) =>
    lab.helper.mount(document.getElementById(id) ?? lab.place(id), {
      onReady: () => lab.events.push(`${id} ready`),
      onRenewed: () => lab.events.push(`${id} renewed`),
      onError: (error) => lab.events.push(`${id} ${error.code}${error.terminal ? '!' : ''}`),
      ...options,
    }),

  /** Timers, listeners for signs of life, and requests of the helper that are still there. */
  running: () => ({ timers: lab.timers.size, listeners: lab.listeners }),

  /** Resolves when everything that can go on without time and requests has gone on. */
  turn: () =>
    new Promise((resolve) => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = resolve;
      port2.postMessage('');
    }),

  /** Resolves when no request runs and what waited for one has gone on. */
  settled: async () => {
    do {
      await Promise.allSettled([...lab.requests]);
      await lab.turn();
    } while (lab.requests.size > 0);
  },

  /** The machine sleeps: the wall clock goes on, the monotonic one stands still. */
  sleep: (ms) => {
    const { now } = Date;
    Date.now = () => now() + ms;
  },

  hide: (isHidden) => {
    Object.defineProperty(document, 'hidden', { configurable: true, value: isHidden });
    document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
  },
};

/** Replaces the timers and clocks that the helper uses. From now on, time moves only when a test moves it. */
function fakeTime(startsAt) {
  const timers = new Map();
  let last = 0;
  let passed = 0;
  performance.now = () => passed;
  Date.now = () => startsAt + passed;
  window.setTimeout = (callback, ms, ...args) => {
    last += 1;
    // As in every browser, a delay of more than 31 bits runs over.
    timers.set(last, { at: passed + (ms < 2 ** 31 ? ms : 1), run: () => callback(...args) });
    return last;
  };
  window.clearTimeout = (id) => timers.delete(id);
  for (const name of ['setInterval', 'requestAnimationFrame', 'requestIdleCallback'])
    window[name] = () => {
      throw new Error(`${name} is not faked`);
    };

  const passUntil = async (end, waitBetween) => {
    for (;;) {
      await waitBetween();
      const [first] = [...timers].sort(([, a], [, b]) => a.at - b.at);
      if (first === undefined || first[1].at > end) break;
      timers.delete(first[0]);
      passed = Math.max(passed, first[1].at);
      first[1].run();
    }
    passed = end;
  };
  lab.advance = (ms) => passUntil(passed + ms, lab.settled);
  lab.runFor = (ms) => passUntil(passed + ms, lab.turn);
  lab.jump = (ms) => passUntil((passed += ms), lab.turn);
}

{
  const startsAt = new URLSearchParams(location.search).get('time');
  if (startsAt !== null) fakeTime(Number(startsAt));
}

{
  const { setTimeout: start, clearTimeout: stop, addEventListener: listen, fetch: originalFetch } = window;
  const track = (running) => {
    lab.requests.add(running);
    running.then(
      () => lab.requests.delete(running),
      () => lab.requests.delete(running),
    );
    return running;
  };
  window.fetch = (...args) => track(originalFetch(...args));
  // A body that has not been read to its end is a request that runs.
  for (const read of ['text', 'json']) {
    const original = Response.prototype[read];
    Response.prototype[read] = function () {
      return track(original.call(this));
    };
  }
  window.setTimeout = (callback, ms, ...args) => {
    const id = start(() => {
      lab.timers.delete(id);
      callback(...args);
    }, ms);
    lab.timers.add(id);
    return id;
  };
  window.clearTimeout = (id) => {
    lab.timers.delete(id);
    stop(id);
  };
  window.addEventListener = (type, listener, options) => {
    if (options?.signal !== undefined) {
      lab.listeners += 1;
      options.signal.addEventListener('abort', () => (lab.listeners -= 1));
    }
    listen.call(window, type, listener, options);
  };
}

/** Shows its id and the token that its last request carried; `?component=mute` keeps its requests from `fetch`. */
class StandIn extends HTMLElement {
  /** As the vendor's, a style sheet of its own reaches the page. */
  static styles =
    '<style id="dbn-styles">h1 { font-size: 99px } @font-face { font-family: own; src: url(data:,) } p { margin: 9px }</style>';

  connectedCallback() {
    this.textContent = 'loading';
    if (new URLSearchParams(location.search).get('component') === 'mute') this.show(this.getAttribute('token'));
    else this.send().catch(() => undefined);
  }

  async send() {
    const headers = { 'X-Plugin-Token': this.getAttribute('token') };
    const server = new URLSearchParams(location.search).get('server');
    const response = await fetch(`${server}/api/v2/dashboard`, { headers });
    this.show((await response.json()).token);
  }

  show(token) {
    this.textContent = `${this.getAttribute('dashboard-id') ?? this.getAttribute('metric-id')}: ${token}`;
  }
}

window.defineComponent = () => {
  customElements.define('dbn-dashboard', class extends StandIn {});
  customElements.define('dbn-metric', class extends StandIn {});
};
if (new URLSearchParams(location.search).get('component') !== 'none') defineComponent();
