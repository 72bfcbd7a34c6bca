import { createHash, createHmac } from 'node:crypto';
import { type Identity, identityFromPrivateKey } from '../../sdk/identity/identity.js';

const nameBytes = 6;

export interface HopIdentity {
  identity: Identity;
  name: string;
}

/**
 * The identities and the names for relays of a path: the same each time, so that an operator can approve them, and without a visible relation to
 * the tunnel's own or to each other. One signature is asked for, however many relays there are.
 * @param name of the tunnel
 */
export async function hopIdentities(identity: Identity, name: string, relays: readonly URL[]): Promise<HopIdentity[]> {
  // Of a key that signs deterministically (RFC 6979) it is the same each time.
  const signature = await identity.signMessage('portal tunnel: secret for the relays of its paths');
  const secret = createHash('sha256').update(signature).digest();
  return relays.map(({ origin }) => {
    const derive = (what: string) => createHmac('sha256', secret).update([what, name, origin].join('\n')).digest('hex');
    return {
      identity: identityFromPrivateKey(`0x${derive('key')}`),
      name: `h-${derive('name').slice(0, 2 * nameBytes)}`,
    };
  });
}
