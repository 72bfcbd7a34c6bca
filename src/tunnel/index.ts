export { ApiError, type ErrorCode } from '../contract/errors.js';
export { AnswerError, NetworkError, SigningRefusedError, UsageError } from '../sdk/errors.js';
export { chooseRelays, type RelayNeeds } from '../sdk/choose-relays.js';
export { findRelays, type FindRelaysOptions, type FoundRelay, type RelayFacts } from '../sdk/find-relays.js';
export { identityFromPrivateKey, type Identity } from '../sdk/identity.js';
export {
  expose,
  type ExposeOptions,
  type Tunnel,
  type TunnelEnd,
  type TunnelEvents,
  type TunnelReady,
  type TunnelState,
  type TunnelStatus,
} from './expose.js';
export type { ConnectionReport } from './relay-link.js';
export { InterceptionError, type ProbeReport, type ProbeResult, type ProbeTimes } from './self-probe.js';
