/** The owner of a lease: a name and an Ethereum account (`identity` in the contract). */
export interface LeaseIdentity {
  /** One DNS label, lower case. */
  name: string;
  /** EIP-55 checksum form. */
  address: string;
}

/** `name:address` in lower case: the key of tokens, policy and reservations. */
export function identityKey(identity: LeaseIdentity): string {
  return `${identity.name}:${identity.address}`.toLowerCase();
}
