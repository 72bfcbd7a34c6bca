import { verifyMessage } from 'ethers/hash';
import { SiweMessage, generateNonce } from 'siwe';
import { ApiError } from '../contract/index.js';

export const challengeTtlMs = 120_000;

export interface SignInRequest {
  /** EIP-55 address that must sign. */
  address: string;
  /** Binds the message to its challenge. */
  requestId: string;
  /** Milliseconds since the epoch. */
  issuedAt: number;
  expiresAt: number;
  /** Alphanumeric; random by default. */
  nonce?: string;
}

/**
 * The EIP-4361 text of one sign-in. Domain and URI are those of the site that asks, as it
 * knows itself: a relay by its configuration, never by the Host header, so that a signature is useless elsewhere.
 * @param site what is signed in to @param path path of the endpoint that accepts the signature
 */
export function signInMessage(site: URL, path: string, request: SignInRequest): string {
  return new SiweMessage({
    domain: site.host,
    address: request.address,
    uri: new URL(path, site).href,
    version: '1',
    chainId: 1,
    nonce: request.nonce ?? generateNonce(),
    issuedAt: new Date(request.issuedAt).toISOString(),
    expirationTime: new Date(request.expiresAt).toISOString(),
    requestId: request.requestId,
  }).prepareMessage();
}

/**
 * Verifies a personal_sign signature (EIP-191) of an externally owned account over the exact message that was issued.
 * @throws ApiError `unauthorized`
 */
export function verifySignIn(message: string, signature: string, address: string): void {
  let signer: string | undefined;
  try {
    signer = verifyMessage(message, signature);
  } catch (cause) {
    throw new ApiError('unauthorized', 'the signature is malformed', { cause });
  }
  if (signer !== address) throw new ApiError('unauthorized', 'the signature is of another account');
}
