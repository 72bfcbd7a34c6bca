/** The part of the SDK for Node only; `index.ts` runs anywhere. */
export type { TlsDialOptions } from './transport/dial-tls.js';
export { findRelays } from './discovery/find-relays.js';
export { defaultIdentityFile, loadIdentityFile } from './identity/identity-file.js';
export { RelayTransport } from './transport/relay-transport.js';
