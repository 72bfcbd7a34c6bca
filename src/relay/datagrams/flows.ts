import { normalizeIp } from '../../net/ip-address.js';
import { sourceOf } from '../../net/source-network.js';

/** A flow whose peer was silent for this long ends. */
const datagramFlowIdleMs = 30_000;
/** Most flows of one lease, of one source address within it, and of all leases. */
const maxFlowsPerLease = 4_096;
export const maxFlowsPerSource = 1_024;

/** Where a datagram came from, and at which port it arrived. */
export interface Peer {
  readonly address: string;
  readonly port: number;
  /** Of the lease's port from the first of them. */
  readonly offset: number;
}

/** A peer that has sent something. Responses go back from the port where it arrived. */
export interface Flow extends Peer {
  /** Modulo the count of ports it is `offset`. */
  readonly id: number;
  /** What counts as one source in limits. */
  readonly source: string;
  /**
   * When the peer last sent something, in milliseconds of the monotonic clock. Responses do not count: a silent peer
   * is gone.
   */
  heardAt: number;
}

/** The limit of flows on the whole relay. */
export interface FlowRoom {
  left: number;
}

/**
 * The flows of one carrier, each with a number that is not reused on it. They are bounded, since source addresses can
 * be forged, and clients that use a new port for each query, as DNS does, leave many flows behind. Past a bound the
 * oldest flow that the service never answered is evicted, or else the one silent for longest.
 */
export class Flows {
  /** Each ordered by silence, longest first. */
  readonly #byPeer = new Map<string, Flow>();
  readonly #bySource = new Map<string, Set<Flow>>();
  readonly #byId = new Map<number, Flow>();
  /** Flows never answered, oldest first. */
  readonly #unanswered = new Set<Flow>();
  /** Numbers of earlier flows are below this times the count of ports. */
  #turn = 0;
  #ports = 1;

  constructor(private readonly room: FlowRoom) {}

  get size(): number {
    return this.#byId.size;
  }

  /** Starts over for so many ports, with numbers above all earlier ones. */
  open(ports: number): void {
    this.clear();
    this.#turn = Math.ceil(((this.#turn + 1) * this.#ports) / ports) - 1;
    this.#ports = ports;
  }

  /**
   * The flow of a peer that has just sent something.
   * @returns undefined when the relay's limit is used up by other leases
   */
  heard(peer: Peer, now: number): Flow | undefined {
    const key = peerKey(peer);
    const known = this.#byPeer.get(key);
    if (known && now - known.heardAt < datagramFlowIdleMs) {
      known.heardAt = now;
      this.#byPeer.delete(key);
      this.#byPeer.set(key, known);
      const ofSource = this.#bySource.get(known.source);
      ofSource?.delete(known);
      ofSource?.add(known);
      return known;
    }
    if (known) this.#end(known);
    const source = sourceOf(normalizeIp(peer.address));
    const ofSource = this.#bySource.get(source);
    if (ofSource && ofSource.size >= maxFlowsPerSource) this.#end(first(ofSource) as Flow);
    if (this.size >= maxFlowsPerLease || this.room.left <= 0) {
      const leaving = first(this.#unanswered) ?? first(this.#byPeer.values());
      if (!leaving) return undefined;
      this.#end(leaving);
    }
    const id = ++this.#turn * this.#ports + peer.offset;
    return this.#begin(key, { ...peer, id, source, heardAt: now });
  }

  /** The live flow with this number. */
  answered(id: number, now: number): Flow | undefined {
    const flow = this.#byId.get(id);
    if (!flow || now - flow.heardAt >= datagramFlowIdleMs) return undefined;
    this.#unanswered.delete(flow);
    return flow;
  }

  /** Ends flows that were silent for too long. */
  sweep(now: number): void {
    for (const flow of this.#byPeer.values()) {
      if (now - flow.heardAt < datagramFlowIdleMs) return;
      this.#end(flow);
    }
  }

  clear(): void {
    for (const flow of this.#byId.values()) this.#end(flow);
  }

  #begin(key: string, flow: Flow): Flow {
    this.#byPeer.set(key, flow);
    this.#byId.set(flow.id, flow);
    this.#unanswered.add(flow);
    const ofSource = this.#bySource.get(flow.source);
    if (ofSource) ofSource.add(flow);
    else this.#bySource.set(flow.source, new Set([flow]));
    this.room.left--;
    return flow;
  }

  #end(flow: Flow): void {
    this.#byPeer.delete(peerKey(flow));
    this.#byId.delete(flow.id);
    this.#unanswered.delete(flow);
    const ofSource = this.#bySource.get(flow.source);
    ofSource?.delete(flow);
    if (ofSource?.size === 0) this.#bySource.delete(flow.source);
    this.room.left++;
  }
}

function peerKey({ address, port, offset }: Peer): string {
  return `${offset} ${port} ${address}`;
}

function first<T>(items: Iterable<T>): T | undefined {
  for (const item of items) return item;
  return undefined;
}
