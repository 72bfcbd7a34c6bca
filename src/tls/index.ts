/** TLS 1.3 (RFC 8446) on the server's side, signed elsewhere. Imports nothing but `node:` modules. */
export { TlsAlertError, plaintextAlertRecord } from './alerts.js';
export { ClientHelloReader } from './client-hello-reader.js';
export { type AlertName, cipherSuites, extensionType, handshakeType } from './constants.js';
export { TlsError, type TlsErrorCode } from './errors.js';
export * from './messages.js';
export { checkRetriedClientHello } from './retry-check.js';
export * from './schemes.js';
export { type SignRequest, type TlsServerOptions, TlsServerStream } from './server.js';
export { TicketKeys } from './tickets.js';
export { certificateVerifyContent, transcriptHash } from './transcript.js';
