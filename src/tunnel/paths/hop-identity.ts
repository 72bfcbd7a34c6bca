import { createHash, createHmac } from 'node:crypto';
import { type Identity, identityFromPrivateKey } from '../../sdk/identity/identity.js';

const nameBytes = 6;

/**
 * The identity and the name for one relay of a path: the same each time, so that an operator can approve them, and without a
 * visible relation to the tunnel's own or to those for other relays.
 * @param name of the tunnel
 */
export async function hopIdentity(
  identity: Identity,
  name: string,
  relay: URL,
): Promise<{ identity: Identity; name: string }> {
  // Of a key that signs deterministically (RFC 6979) it is the same each time.
  const signature = await identity.signMessage('portal tunnel: secret for the relays of its paths');
  const secret = createHash('sha256').update(signature).digest();
  const derive = (what: string) =>
    createHmac('sha256', secret).update([what, name, relay.origin].join('\n')).digest('hex');
  return {
    identity: identityFromPrivateKey(`0x${derive('key')}`),
    name: `h-${derive('name').slice(0, 2 * nameBytes)}`,
  };
}
