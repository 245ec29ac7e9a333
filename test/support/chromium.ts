// The browser for tests that need a real one: Chromium as the distribution packages it, without talking to its vendor.
import { existsSync } from 'node:fs';
import { chromium, type Browser, type LaunchOptions } from 'playwright-core';
import { needs } from './needs.ts';

const executablePath = '/usr/bin/chromium';

/** For `describe.skipIf(!hasChromium)`. */
export const hasChromium = existsSync(executablePath);

/** Behind the title of a test that is skipped without it. */
export const chromiumReason = needs(hasChromium, 'chromium');

/** A headless browser; close it. */
export const launchChromium = (options: Pick<LaunchOptions, 'ignoreDefaultArgs'> = {}): Promise<Browser> =>
  chromium.launch({
    ...options,
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
