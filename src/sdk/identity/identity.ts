import { getAddress } from 'ethers/address';
import { SigningKey } from 'ethers/crypto';
import { hashMessage } from 'ethers/hash';
import { computeAddress } from 'ethers/transaction';
import { UsageError } from '../calls/errors.js';

/** An Ethereum account that can sign text and lease names. Wallets and signers of ethers with a known address fit. */
export interface Identity {
  /** 0x and 40 hex digits. */
  readonly address: string;
  /** `personal_sign` (EIP-191): 0x and 130 hex digits. */
  signMessage(text: string): Promise<string>;
}

/**
 * @throws UsageError when it is not a secp256k1 key of 0x and 64 hex digits; the message does not contain the value
 */
export function identityFromPrivateKey(privateKey: string): Identity {
  let key: SigningKey;
  let address: string;
  try {
    key = new SigningKey(privateKey);
    address = computeAddress(key);
  } catch {
    throw new UsageError('not a private key of 0x and 64 hex digits');
  }
  // Not ethers' Wallet, which would add key stores and word lists to a page's download.
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
