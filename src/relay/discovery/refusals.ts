import { ApiError } from '../../contract/index.js';
import { addressRefusedCode } from '../../sdk/transport/address-rule.js';
import { AnswerError, NetworkError, systemCode } from '../../sdk/calls/errors.js';
import { DescriptorError, type DescriptorFault } from '../../sdk/discovery/relay-descriptor.js';

export type Refusal =
  | DescriptorFault
  /** Than what the same address has signed before. */
  | 'older'
  /** Claims this relay's own URL or address. */
  | 'self'
  | 'no_room'
  /** Announces a URL that has proved nothing a moment ago. */
  | 'too_soon'
  /** Leads to no address that may be connected to. */
  | 'address'
  /** Lookup or connection failed, or there was no answer in time. */
  | 'unreachable'
  | 'certificate'
  /** Redirects, answers that are too large, errors, and what is no answer of a relay. */
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

/** Why something was not believed, in its own words. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';

  constructor(
    readonly refusal: Refusal,
    message: string,
  ) {
    super(message);
  }
}

/** @throws the error itself when it is none that others can bring about */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof RefusedError) return error.refusal;
  if (error instanceof DescriptorError) return error.fault;
  if (systemCode(error) === addressRefusedCode) return 'address';
  if (error instanceof NetworkError)
    return error.reason === 'certificate' || error.reason === 'clock' ? 'certificate' : 'unreachable';
  if (error instanceof AnswerError || error instanceof ApiError) return 'answer';
  throw error;
}

/** What was refused since the start, by kind. */
export class RefusalCounts {
  readonly #counts = new Map<Refusal, number>();

  add(refusal: Refusal, count = 1): void {
    if (count > 0) this.#counts.set(refusal, (this.#counts.get(refusal) ?? 0) + count);
  }

  all(): Partial<Record<Refusal, number>> {
    return Object.fromEntries(this.#counts);
  }
}
