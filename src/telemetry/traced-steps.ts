// Adds a span to the steps of issuing: calls to the shared token store, and minting. Used only if tracing is enabled.
import type { Mint } from '../databrain/mint.ts';
import type { SharedTokens } from '../guest-token/shared-tokens.ts';
import type { Step } from './tracing.ts';

export const traceMint =
  (mint: Mint, step: Step): Mint =>
  (...request) =>
    step('mint', () => mint(...request));

export const traceStore = (store: SharedTokens, step: Step): SharedTokens => ({
  ...store,
  get: (...request) => step('store', () => store.get(...request)),
  getAnyway: (...request) => step('store', () => store.getAnyway(...request)),
  put: (...request) => step('store', () => store.put(...request)),
  lock: (...request) => step('store', () => store.lock(...request)),
});
