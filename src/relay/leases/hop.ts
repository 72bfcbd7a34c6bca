import { createHash, timingSafeEqual } from 'node:crypto';
import { ApiError } from '../../contract/index.js';
import {
  checkSignature,
  checkTimes,
  DescriptorError,
  parseDescriptor,
  type RelayDescriptor,
  type WireDescriptor,
} from '../../sdk/discovery/relay-descriptor.js';
import type { OverlayRoutes } from '../overlay/overlay.js';

/** Where a lease's visitors go. */
export interface NextHop {
  /** Signing address of the relay, in lower case. */
  readonly relay: string;
  /** What that relay accepts, base64url. */
  readonly token: string;
  readonly passVisitorAddress: boolean;
  /** Seals what a visitor sends first, base64url. */
  readonly helloKey?: string | undefined;
}

/** A lease's place in a path of relays. */
export interface Hop {
  /** Hash of the token that the relay before this one sends; absent for the entry. */
  readonly accepts?: string | undefined;
  /** Absent for the last. */
  readonly forwards?: NextHop | undefined;
}

/** As the contract has it. */
export interface HopRequest {
  accept?: { token: string };
  forward?: { descriptor: WireDescriptor; token: string; hello_key?: string; pass_visitor_address?: boolean };
}

export function hashOfToken(token: Buffer): string {
  return createHash('sha256').update(token).digest('base64url');
}

/** Compares hashes of tokens in constant time. */
export function isSameHash(one: string, other: string): boolean {
  return timingSafeEqual(Buffer.from(one, 'base64url'), Buffer.from(other, 'base64url'));
}

/**
 * Checks what a registration asks for.
 * @param own this relay's signing address, in lower case
 * @throws ApiError `feature_unavailable` without an overlay; `invalid_request` for a next relay that is no peer there
 */
export function requestedHop({ accept, forward }: HopRequest, overlay: OverlayRoutes | undefined, own: string): Hop {
  if (!accept && !forward) throw new ApiError('invalid_request', 'hop needs accept, forward or both');
  if (!overlay?.isUp) throw new ApiError('feature_unavailable', 'this relay has no place in an overlay of relays');
  const token = accept && tokenOf('accept.token', accept.token);
  if (forward === undefined) return { accepts: token && hashOfToken(token) };
  const next = tokenOf('forward.token', forward.token);
  const { hello_key: helloKey } = forward;
  if (helloKey !== undefined) tokenOf('forward.hello_key', helloKey);
  if (token && helloKey !== undefined)
    throw new ApiError(
      'invalid_request',
      'hop.forward.hello_key is for the entry of a path, and this lease is another',
    );
  if (token?.equals(next)) throw new ApiError('invalid_request', 'each relay of a path needs a token of its own');
  const descriptor = wellFormed(forward.descriptor);
  const { address: relay, wire } = descriptor;
  if (relay === own) throw new ApiError('invalid_request', 'hop.forward leads back to this relay');
  const refuse = (why: string) => new ApiError('invalid_request', `hop.forward leads to ${wire.address}, which ${why}`);
  if (!wire.supports_overlay) throw refuse('has no overlay');
  const route = overlay.routeTo(relay);
  if (route === undefined) throw refuse('is no peer of this relay in the overlay');
  if (route.publicKey !== wire.wireguard_public_key) throw refuse('has another WireGuard key now');
  assertGenuine(descriptor);
  return {
    accepts: token && hashOfToken(token),
    forwards: { relay, token: forward.token, helloKey, passVisitorAddress: forward.pass_visitor_address ?? false },
  };
}

/** The last of its 43 characters has bits to spare, which must be zero. */
function tokenOf(field: string, text: string): Buffer {
  const token = Buffer.from(text, 'base64url');
  if (token.toString('base64url') !== text)
    throw new ApiError('invalid_request', `hop.${field} is not the base64url of 32 bytes`);
  return token;
}

function wellFormed(wire: WireDescriptor): RelayDescriptor {
  return checked(() => parseDescriptor(wire));
}

/** Costs milliseconds of CPU time, so it comes last. */
function assertGenuine(descriptor: RelayDescriptor): void {
  checked(() => {
    checkTimes(descriptor);
    checkSignature(descriptor);
  });
}

function checked<Result>(check: () => Result): Result {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof DescriptorError)) throw error;
    throw new ApiError('invalid_request', `hop.forward.descriptor: ${error.message}`);
  }
}
