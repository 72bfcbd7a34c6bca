import { verifyMessage } from 'ethers/hash';

/** @returns the EIP-55 address whose `personal_sign` signature (EIP-191) it is; undefined when it is none */
export function recoverSigner(message: string, signature: string): string | undefined {
  if (!/^0x[0-9a-fA-F]{130}$/.test(signature)) return undefined;
  try {
    return verifyMessage(message, signature);
  } catch {
    return undefined;
  }
}
