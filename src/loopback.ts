// Which hosts are this machine itself, where http shows nothing to a network.

const loopbackHosts = new Set(['localhost', '127.0.0.1', '[::1]']);

/** Whether a URL's host is this machine itself, as written (no name look-up). */
export const isLoopback = (url: URL): boolean =>
  loopbackHosts.has(url.hostname) || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(url.hostname);
