export { ApiError, type ErrorCode } from '../contract/errors.js';
export { AnswerError, NetworkError, SigningRefusedError, UsageError } from '../sdk/calls/errors.js';
export { chooseRelays, type RelayNeeds } from '../sdk/discovery/choose-relays.js';
export { findRelays, type FindRelaysOptions, type FoundRelay, type RelayFacts } from '../sdk/discovery/find-relays.js';
export { identityFromPrivateKey, type Identity } from '../sdk/identity/identity.js';
export type { RelayTimes } from './options/relay-times.js';
export { expose, type Tunnel } from './expose.js';
export { checkExposeOptions, type ExposeOptions, type RelayChoice } from './options/expose-options.js';
export type { AcmeOptions } from './certificates/acme-certificates.js';
export type { ExternalAccount } from '../acme/acme-client.js';
export type { AcmeTimes } from '../acme/certificate-keeper.js';
export type { CertificateFilePaths } from './certificates/certificate-files.js';
export type { InspectOptions } from './inspect/inspected-service.js';
export type { Inspector } from './inspect/inspector.js';
export type { ExchangeDetail, ExchangeSummary } from './inspect/views.js';
export type { CertificateLife } from './link/keyless.js';
export type { AccessOptions, OidcOptions, WebhookRule } from './options/access-options.js';
export type { WebOptions } from './options/web-service.js';
export type { RequestReport } from './services/http/request-reports.js';
export type { ConnectionReport } from './link/relay-link.js';
export { ServiceGroup, type GroupChange, type GroupEvents } from './service-group.js';
export { InterceptionError, type ProbeReport, type ProbeResult, type ProbeTimes } from './link/self-probe.js';
export {
  NoRelayLeftError,
  type RelayLatency,
  type TunnelEnd,
  type TunnelEvents,
  type TunnelReady,
  type TunnelState,
  type TunnelStatus,
} from './relays/tunnel-events.js';
