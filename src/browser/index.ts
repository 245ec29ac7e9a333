// The browser helper: `/guest-token.js` of the proxy and `guest-token-proxy/browser` of the package. No dependencies.
import { defineDashboardElement } from './dashboard-element.ts';

export { createGuestTokens } from './guest-tokens.ts';
export { mount } from './mount.ts';
export type { GuestTokenError, LocalErrorCode } from './guest-token-error.ts';
export type { GuestTokenEvent, GuestTokens, GuestTokensOptions } from './guest-tokens.ts';
export type { Mounted, MountOptions } from './mount.ts';
export type { ComponentScript } from './realm.ts';

defineDashboardElement();
