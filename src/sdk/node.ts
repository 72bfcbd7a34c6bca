/** What the SDK has for Node alone; `index.ts` runs anywhere. */
export { defaultIdentityFile, loadIdentityFile } from './identity-file.js';
export { RelayTransport, type RelayTransportOptions } from './relay-transport.js';
