export { ApiError, type ErrorCode } from '../contract/errors.js';
export { AnswerError, NetworkError, SigningRefusedError, UsageError } from '../sdk/errors.js';
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
