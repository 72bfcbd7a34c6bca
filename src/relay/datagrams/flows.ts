import { sourceOf } from '../addresses.js';
import { datagramFlowIdleMs, maxFlowsPerLease, maxFlowsPerSource } from '../constants.js';
import { normalizeIp } from '../../streams/ip-address.js';
import { Tally } from '../tally.js';

/** A public address and port that sent something, and where its answers go. */
export interface Flow {
  readonly id: number;
  readonly address: string;
  readonly port: number;
  /** When it was last heard, in milliseconds since the epoch. Answers do not count: who was silent for long is not there. */
  heardAt: number;
}

/** How many flows there may be on the whole relay. */
export interface FlowRoom {
  left: number;
}

/**
 * The flows of one carrier, each with a number that is not used again on it. Sources can be made up, so that their number
 * is bounded, and one that the service has never answered makes room for another.
 */
export class Flows {
  readonly #byPeer = new Map<string, Flow>();
  readonly #byId = new Map<number, Flow>();
  /** Never answered, oldest first. */
  readonly #unanswered = new Set<Flow>();
  readonly #bySource = new Tally(maxFlowsPerSource);
  #lastId = 0;

  constructor(private readonly room: FlowRoom) {}

  get size(): number {
    return this.#byId.size;
  }

  /** The flow of a peer that was heard just now. @returns undefined when there is no room for one more */
  heard(address: string, port: number, now: number): Flow | undefined {
    const peer = peerKey(address, port);
    const known = this.#byPeer.get(peer);
    if (known && now - known.heardAt < datagramFlowIdleMs) {
      known.heardAt = now;
      return known;
    }
    if (known) this.#end(known);
    const source = sourceOf(normalizeIp(address));
    if (this.#bySource.count(source) >= maxFlowsPerSource) return undefined;
    if (this.size >= maxFlowsPerLease || this.room.left <= 0) {
      const [oldest] = this.#unanswered;
      if (!oldest) return undefined;
      this.#end(oldest);
    }
    const flow: Flow = { id: ++this.#lastId, address, port, heardAt: now };
    this.#byPeer.set(peer, flow);
    this.#byId.set(flow.id, flow);
    this.#unanswered.add(flow);
    this.#bySource.add(source);
    this.room.left--;
    return flow;
  }

  /** The flow that an answer is for, while it lives. */
  answered(id: number, now: number): Flow | undefined {
    const flow = this.#byId.get(id);
    if (!flow || now - flow.heardAt >= datagramFlowIdleMs) return undefined;
    this.#unanswered.delete(flow);
    return flow;
  }

  /** Ends those that were silent for too long. */
  sweep(now: number): void {
    for (const flow of this.#byId.values()) if (now - flow.heardAt >= datagramFlowIdleMs) this.#end(flow);
  }

  clear(): void {
    for (const flow of this.#byId.values()) this.#end(flow);
  }

  #end(flow: Flow): void {
    this.#byPeer.delete(peerKey(flow.address, flow.port));
    this.#byId.delete(flow.id);
    this.#unanswered.delete(flow);
    this.#bySource.remove(sourceOf(normalizeIp(flow.address)));
    this.room.left++;
  }
}

function peerKey(address: string, port: number): string {
  return `${port} ${address}`;
}
