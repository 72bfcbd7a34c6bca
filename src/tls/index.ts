/** TLS 1.3 (RFC 8446) on the server's side, signed elsewhere. Imports nothing but node:crypto and node:stream. */
export { type AlertName, TlsAlertError, plaintextAlertRecord } from './alerts.js';
export { ClientHelloReader } from './client-hello-reader.js';
export * from './constants.js';
export { TlsStreamError } from './errors.js';
export type { SignRequest } from './handshake.js';
export * from './messages.js';
export * from './schemes.js';
export { type TlsServerOptions, TlsServerStream } from './server.js';
export { TicketKeys } from './tickets.js';
export { certificateVerifyContent, transcriptHash } from './transcript.js';
