import { computeAddress, getAddress, hashMessage, SigningKey } from 'ethers';
import { UsageError } from '../calls/errors.js';

/** Who leases names: an Ethereum account that can sign text. Ethers' wallets and signers with a known address are such. */
export interface Identity {
  /** 0x and 40 hex digits. */
  readonly address: string;
  /** `personal_sign` (EIP-191): 0x and 130 hex digits. */
  signMessage(text: string): Promise<string>;
}

/** @throws UsageError when it is not a secp256k1 key of 0x and 64 hex digits; the message does not repeat it */
export function identityFromPrivateKey(privateKey: string): Identity {
  let key: SigningKey;
  let address: string;
  try {
    key = new SigningKey(privateKey);
    address = computeAddress(key);
  } catch {
    throw new UsageError('not a private key of 0x and 64 hex digits');
  }
  // Not ethers' Wallet: it brings key stores and word lists along, of which a page would load every byte.
  return { address, signMessage: async (text) => key.sign(hashMessage(text)).serialized };
}

/** @returns the EIP-55 form. @throws UsageError */
export function checksumAddress(address: string): string {
  try {
    return getAddress(address.toLowerCase());
  } catch {
    throw new UsageError(`not an Ethereum address: ${JSON.stringify(address)}`);
  }
}
