export { ApiError, type ErrorCode } from '../contract/errors.js';
export { AnswerError, NetworkError, SigningRefusedError, UsageError } from '../sdk/errors.js';
export { chooseRelays, type RelayNeeds } from '../sdk/choose-relays.js';
export { findRelays, type FindRelaysOptions, type FoundRelay, type RelayFacts } from '../sdk/find-relays.js';
export { identityFromPrivateKey, type Identity } from '../sdk/identity.js';
export type { RelayTimes } from './constants.js';
export { expose, type Tunnel } from './expose.js';
export { checkExposeOptions, type ExposeOptions, type RelayChoice } from './expose-options.js';
export type { ConnectionReport } from './relays/relay-link.js';
export { ServiceGroup, type GroupChange, type GroupEvents } from './service-group.js';
export { InterceptionError, type ProbeReport, type ProbeResult, type ProbeTimes } from './relays/self-probe.js';
export {
  NoRelayLeftError,
  type TunnelEnd,
  type TunnelEvents,
  type TunnelReady,
  type TunnelState,
  type TunnelStatus,
} from './relays/tunnel-events.js';
