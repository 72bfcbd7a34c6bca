import { overlayAddress, type RelayDescriptor } from '../../sdk/discovery/relay-descriptor.js';

/** A relay that can be a peer, as its descriptor has it. */
export interface WantedPeer {
  /** Its signing address, in lower case. */
  readonly relay: string;
  readonly publicKey: string;
  /** In the overlay. */
  readonly address: string;
  /** Where its WireGuard listens. */
  readonly host: string;
  readonly port: number;
}

/** Why a relay is no peer. */
export interface RefusedPeer {
  readonly relay: string;
  readonly reason: string;
}

export interface PeerPlan {
  wanted: WantedPeer[];
  refused: RefusedPeer[];
}

/** Most peers. */
export const maxOverlayPeers = 256;

/**
 * The relays to be peers with. A key and an overlay address are one relay's alone: the one that has had it for longer keeps
 * it, so that nobody takes another's place by what it says of itself.
 * @param held who is a peer now, longest first
 */
export function planPeers(
  believed: readonly RelayDescriptor[],
  own: { publicKey: string; address: string },
  held: readonly Pick<WantedPeer, 'relay' | 'publicKey'>[],
): PeerPlan {
  const rank = new Map(held.map(({ relay, publicKey }, index) => [`${relay} ${publicKey}`, index]));
  const candidates = believed.flatMap(peerOf);
  const rankOf = ({ relay, publicKey }: WantedPeer) => rank.get(`${relay} ${publicKey}`) ?? held.length;
  candidates.sort((one, other) => rankOf(one) - rankOf(other));
  const plan: PeerPlan = { wanted: [], refused: [] };
  const keys = new Set([own.publicKey]);
  const addresses = new Set([own.address]);
  for (const peer of candidates) {
    const { relay, publicKey, address } = peer;
    const refuse = (reason: string) => plan.refused.push({ relay, reason });
    if (keys.has(publicKey)) refuse("its WireGuard key is another relay's");
    else if (addresses.has(address)) refuse(`its overlay address ${address} is another relay's`);
    else if (plan.wanted.length >= maxOverlayPeers) refuse(`there are ${maxOverlayPeers} peers`);
    else {
      keys.add(publicKey);
      addresses.add(address);
      plan.wanted.push(peer);
    }
  }
  return plan;
}

function peerOf({ wire, url, address: relay }: RelayDescriptor): WantedPeer[] {
  const { supports_overlay: has, wireguard_public_key: publicKey, wireguard_port: port } = wire;
  if (!has || !publicKey || !port) return [];
  // The last of its characters has bits to spare: the same key could be written in four ways.
  if (Buffer.from(publicKey, 'base64').toString('base64') !== publicKey) return [];
  return [{ relay, publicKey, address: overlayAddress(publicKey), host: url.hostname, port }];
}
