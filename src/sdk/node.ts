/** What the SDK has for Node alone; `index.ts` runs anywhere. */
export type { TlsDialOptions } from './dial-tls.js';
export { findRelays } from './find-relays.js';
export { defaultIdentityFile, loadIdentityFile } from './identity-file.js';
export { RelayTransport } from './relay-transport.js';
