export {
  createAdminClient,
  type AdminClient,
  type AdminClientOptions,
  type AdminSession,
  type LeaseIdentity,
  type PortSettings,
  type Snapshot,
} from './admin/admin-client.js';
export { ApiError, errorCatalogue, isApiError, isErrorCode, type ErrorCode, type Retry } from '../contract/errors.js';
export type {
  EnvelopeOperationId,
  FailureCode,
  OperationId,
  paths,
  RequestBody,
  SuccessData,
} from '../contract/operations.js';
export type { Fetch } from './calls/bounded-fetch.js';
export {
  createPortalClient,
  type Answer,
  type CallOptions,
  type PortalClient,
  type PortalClientOptions,
  type RetryAdvice,
  type SendRequest,
} from './calls/client.js';
export { chooseRelays, relayCost, type RelayNeeds } from './discovery/choose-relays.js';
export { AnswerError, NetworkError, SigningRefusedError, UsageError } from './calls/errors.js';
export type { FindRelaysOptions, FoundRelay, RelayFacts } from './discovery/find-relays.js';
export { identityFromPrivateKey, type Identity } from './identity/identity.js';
export type { RelayDomain } from './calls/answers.js';
export { checkSignInMessage, type SignInExpectation } from './identity/sign-in.js';
