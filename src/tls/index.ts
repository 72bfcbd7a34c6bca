/** A TLS 1.3 server (RFC 8446) with external signatures. Imports only `node:` modules. */
export { TlsAlertError, plaintextAlertRecord } from './codec/alerts.js';
export { ClientHelloReader } from './records/client-hello-reader.js';
export { type Credentials, parseCredentials } from './crypto/credentials.js';
export { type AlertName, cipherSuites, extensionType, handshakeType } from './codec/constants.js';
export { TlsError, type TlsErrorCode } from './codec/errors.js';
export * from './codec/messages.js';
export { checkRetriedClientHello } from './handshake/retry-check.js';
export * from './codec/schemes.js';
export { type SignRequest, type TlsServerOptions, TlsServerStream } from './server/server.js';
export { TicketKeys } from './handshake/tickets.js';
export { certificateVerifyContent, transcriptHash } from './codec/transcript.js';
