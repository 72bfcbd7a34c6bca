import { type LookupAddress } from 'node:dns';
import { systemCode } from '../../../sdk/calls/errors.js';
import { lookupWithLoopback } from '../../../sdk/transport/loopback.js';
import type { DatagramChannel } from '../../../streams/datagram-channel.js';
import { decodeDatagram, encodeDatagram } from '../../../protocol/datagram-frame.js';
import { guard, repeat } from '../../../util/boundary.js';
import { ServiceHealth } from '../upstream/service-health.js';
import { describeTarget, type PortsTarget } from '../upstream/target.js';
import { UdpFlow } from './udp-flow.js';

/**
 * Peers of one carrier: as many as a relay allows a lease. Each needs a socket; above the limit the least recently used
 * one is evicted.
 */
const maxUdpFlows = 4_096;
/** Longer than the relay's 30 s, so that a peer that returns in time has the same port for the service. */
const udpFlowIdleMs = 35_000;
const udpSweepIntervalMs = 2_000;
/** Shortest interval between reports of dropped datagrams. */
const udpDropNoticeMs = 60_000;

/** Datagrams since the start. */
export interface UdpCounters {
  /** From peers to the service, and back. */
  received: number;
  sent: number;
  /** Dropped: a queue was full because one side was slower than the other, or too large for the carrier. */
  dropped: number;
}

/**
 * The local service behind public UDP ports: from the first of them datagrams go to its first port, and so on. Each flow has its own local socket, so that the service can tell peers
 * apart by their ports, and each response goes to the right peer.
 */
export class UdpService extends ServiceHealth {
  readonly counters: UdpCounters = { received: 0, sent: 0, dropped: 0 };
  /** Drops already reported, and when. */
  #told = 0;
  #toldAt = -Infinity;
  #addresses: Promise<LookupAddress[]> | undefined;
  /** Index of the target address in use: the next one after this one refuses. */
  #turn = 0;

  constructor(readonly target: PortsTarget) {
    super();
  }

  /** Serves the flows of a carrier until it is closed. */
  serve(channel: DatagramChannel): void {
    const flows = new Map<number, UdpFlow>();
    const receive = (bytes: Buffer) => {
      const frame = decodeDatagram(bytes);
      if (!frame) return void this.counters.dropped++;
      let flow = flows.get(frame.flow);
      if (flow) flows.delete(frame.flow);
      else {
        if (flows.size >= maxUdpFlows) flows.values().next().value?.close();
        flow = this.#open(frame.flow, channel, (ended) => {
          if (flows.get(frame.flow) === ended) flows.delete(frame.flow);
        });
      }
      // Least recently used flow first.
      flows.set(frame.flow, flow);
      if (flow.send(frame.payload)) this.counters.received++;
      else this.counters.dropped++;
    };
    channel.on('datagram', guard('tunnel datagram', receive));
    let counted = 0;
    const sweep = () => {
      const dropped = channel.dropped + channel.oversized;
      this.counters.dropped += dropped - counted;
      counted = dropped;
      this.#tellDrops();
      const idleSince = performance.now() - udpFlowIdleMs;
      for (const flow of flows.values()) {
        if (flow.heardAt >= idleSince) break;
        flow.close();
      }
    };
    const sweeper = repeat('udp flow sweep', sweep, udpSweepIntervalMs);
    channel.once('closed', () => {
      clearInterval(sweeper);
      sweep();
      for (const flow of flows.values()) flow.close();
    });
  }

  #tellDrops(): void {
    const untold = this.counters.dropped - this.#told;
    if (untold === 0 || performance.now() - this.#toldAt < udpDropNoticeMs) return;
    this.#told = this.counters.dropped;
    this.#toldAt = performance.now();
    this.emit('dropped', untold);
  }

  #open(id: number, channel: DatagramChannel, onClosed: (flow: UdpFlow) => void): UdpFlow {
    const turn = this.#turn;
    const port = this.target.port + (id % this.target.count);
    const flow = new UdpFlow(this.#address(turn), port);
    const passBack = (payload: Buffer) => {
      this.counters.sent++;
      this.answered();
      channel.send(encodeDatagram(id, payload));
    };
    flow.on('message', guard('service datagram', passBack));
    flow.once('closed', (error) => {
      onClosed(flow);
      if (error) this.#failed(error, turn, port);
    });
    return flow;
  }

  async #address(turn: number): Promise<LookupAddress> {
    this.#addresses ??= addressesOf(this.target.host);
    const addresses = await this.#addresses;
    return addresses[turn % addresses.length]!;
  }

  #failed(error: Error, turn: number, port: number): void {
    if (this.#turn === turn) this.#turn++;
    // The name may resolve to another address by now.
    this.#addresses = undefined;
    this.failed(error, `${describeTarget({ ...this.target, port })} refuses datagrams (${systemCode(error)})`);
  }
}

function addressesOf(host: string): Promise<LookupAddress[]> {
  return new Promise((resolve, reject) => {
    lookupWithLoopback(host, { all: true }, (error, addresses) => {
      if (error) reject(error);
      else resolve(addresses as LookupAddress[]);
    });
  });
}
