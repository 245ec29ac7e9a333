// The browser for tests that need a real one: the distribution's Chromium, without connections to its vendor. Prefers
// its headless shell, which needs a quarter of the CPU time for a page.
import { existsSync } from 'node:fs';
import { chromium, type Browser } from 'playwright-core';
import { needs } from '../vitest/needs.ts';

const whole = '/usr/bin/chromium';
const headless = ['/usr/bin/chromium-headless-shell', whole].find((path) => existsSync(path));

/** For `describe.skipIf(!hasChromium)`. */
export const hasChromium = headless !== undefined;
/** Appended to the title of a test that is skipped without it. */
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

/** A headless browser, which the caller must close. */
export const launchChromium = (): Promise<Browser> => chromium.launch({ executablePath: headless ?? whole, args });

/** The complete browser, with its back/forward cache. */
export const launchWholeChromium = (): Promise<Browser> =>
  chromium.launch({ executablePath: whole, args, ignoreDefaultArgs: ['--disable-back-forward-cache'] });
