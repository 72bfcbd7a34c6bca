/** Whose lease it is: a name, and the Ethereum account that it belongs to (`identity` in the contract). */
export interface LeaseIdentity {
  /** One DNS label, lower case. */
  name: string;
  /** EIP-55 checksum form. */
  address: string;
}

/** `name:address` in lower case: what tokens, policy and reservations go by. */
export function identityKey(identity: LeaseIdentity): string {
  return `${identity.name}:${identity.address}`.toLowerCase();
}
