import { ApiError } from '../../contract/index.js';
import { addressRefusedCode } from '../../sdk/transport/address-rule.js';
import { AnswerError, NetworkError, systemCode } from '../../sdk/calls/errors.js';
import { DescriptorError, type DescriptorFault } from '../../sdk/discovery/relay-descriptor.js';

export type Refusal =
  | DescriptorFault
  /** Older than an earlier descriptor of the same address. */
  | 'older'
  /** Claims this relay's own URL or address. */
  | 'self'
  | 'no_room'
  /** Announces a URL whose confirmation has just failed. */
  | 'too_soon'
  /** Resolves to no allowed address. */
  | 'address'
  /** The lookup or connection failed, or timed out. */
  | 'unreachable'
  | 'certificate'
  /** Redirects, oversized responses, errors, and responses that are not a relay's. */
  | 'answer';

const all: Record<Refusal, true> = {
  malformed: true,
  version: true,
  expired: true,
  not_yet_valid: true,
  too_long_lived: true,
  signature: true,
  not_served: true,
  older: true,
  self: true,
  no_room: true,
  too_soon: true,
  address: true,
  unreachable: true,
  certificate: true,
  answer: true,
};
export const refusals = Object.keys(all) as Refusal[];

/** Why a descriptor was refused. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';

  constructor(
    readonly refusal: Refusal,
    message: string,
  ) {
    super(message);
  }
}

/** @throws the error itself when it is not caused by another relay */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof RefusedError) return error.refusal;
  if (error instanceof DescriptorError) return error.fault;
  if (systemCode(error) === addressRefusedCode) return 'address';
  if (error instanceof NetworkError)
    return error.reason === 'certificate' || error.reason === 'clock' ? 'certificate' : 'unreachable';
  if (error instanceof AnswerError || error instanceof ApiError) return 'answer';
  throw error;
}

/** Refusals since the start, by kind. */
export class RefusalCounts {
  readonly #counts = new Map<Refusal, number>();

  add(refusal: Refusal, count = 1): void {
    if (count > 0) this.#counts.set(refusal, (this.#counts.get(refusal) ?? 0) + count);
  }

  all(): Partial<Record<Refusal, number>> {
    return Object.fromEntries(this.#counts);
  }
}
