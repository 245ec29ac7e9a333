// The browser for tests that need a real one: Chromium as the distribution packages it, without talking to its vendor.
// Its headless shell is preferred: a page costs it a quarter of the CPU time that the whole browser takes.
import { existsSync } from 'node:fs';
import { chromium, type Browser } from 'playwright-core';
import { needs } from './needs.ts';

const whole = '/usr/bin/chromium';
const headless = ['/usr/bin/chromium-headless-shell', whole].find((path) => existsSync(path));

/** For `describe.skipIf(!hasChromium)`. */
export const hasChromium = headless !== undefined;
/** Behind the title of a test that is skipped without it. */
export const chromiumReason = needs(hasChromium, 'chromium');

/** The headless shell alone lacks the back/forward cache. */
export const hasWholeChromium = existsSync(whole);
export const wholeChromiumReason = needs(hasWholeChromium, 'chromium');

const args = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** A headless browser; close it. */
export const launchChromium = (): Promise<Browser> => chromium.launch({ executablePath: headless ?? whole, args });

/** The whole browser, with the back/forward cache of its users. */
export const launchWholeChromium = (): Promise<Browser> =>
  chromium.launch({ executablePath: whole, args, ignoreDefaultArgs: ['--disable-back-forward-cache'] });
