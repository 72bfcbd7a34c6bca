import type { RemoteInfo, Socket } from 'node:dgram';
import { decodeDatagram, encodeDatagram } from '../../protocol/datagram-frame.js';
import type { DatagramChannel } from '../../streams/datagram-channel.js';
import { guard } from '../../util/boundary.js';
import type { Share } from '../../util/bandwidth.js';
import type { LeaseSessions, LiveConnection } from '../reverse/lease-sessions.js';
import type { DatagramCounters, DropReason } from './counters.js';
import { type FlowRoom, Flows } from './flows.js';

/** Most bytes in the system's send queue of a public UDP port; past it responses are dropped. */
const maxPublicSendQueueBytes = 1_048_576;

/** A tunnel's carrier, from when it was opened. */
interface Carrier {
  channel: DatagramChannel;
  sessions: LeaseSessions;
  connection: LiveConnection;
  share: Share;
  /** The part of the channel's drops that is already counted. */
  counted: { dropped: number; oversized: number };
  /** The bandwidth is used up: datagrams are dropped until it resumes. */
  held: boolean;
}

/**
 * The datagrams of one hostname: its public UDP sockets on one side, its tunnel's carrier on the other. Either may be
 * absent.
 */
export class LeaseDatagrams {
  readonly flows: Flows;
  /** One for each port, in order; empty while none is open. */
  #sockets: readonly Socket[] = [];
  #carrier: Carrier | undefined;

  constructor(
    room: FlowRoom,
    /** The lease's own counters, and the relay's. */
    private readonly counters: DatagramCounters[],
  ) {
    this.flows = new Flows(room);
  }

  get isUnused(): boolean {
    return this.#sockets.length === 0 && this.#carrier === undefined;
  }

  /** Starts receiving on bound sockets, one for each port of the lease. */
  open(sockets: readonly Socket[]): void {
    this.#sockets = sockets;
    // Numbers tell the ports apart, so those of another count of ports mean nothing.
    this.flows.open(sockets.length);
    for (const [offset, socket] of sockets.entries()) {
      socket.on(
        'message',
        guard('public datagram', (payload: Buffer, peer: RemoteInfo) => this.#fromPublic(offset, payload, peer)),
      );
    }
  }

  /** The sockets were closed. */
  socketsClosed(sockets: readonly Socket[]): void {
    if (this.#sockets !== sockets) return;
    this.#sockets = [];
    this.flows.clear();
  }

  /**
   * Attaches a carrier, replacing an earlier one. Flows start over, since their numbers belong to the carrier.
   * @param from the tunnel's address
   */
  attach(channel: DatagramChannel, sessions: LeaseSessions, from: string): void {
    this.#carrier?.channel.close();
    this.flows.clear();
    const close = () => channel.close();
    const carrier: Carrier = {
      channel,
      sessions,
      connection: { destroy: close, reset: close, tunnelIp: from, traffic: { up: 0, down: 0 } },
      share: sessions.bandwidth.join(),
      counted: { dropped: 0, oversized: 0 },
      held: false,
    };
    this.#carrier = carrier;
    sessions.live.add(carrier.connection);
    sessions.ended.addEventListener('abort', close, { once: true });
    channel.on(
      'datagram',
      guard('carrier datagram', (frame: Buffer) => this.#fromTunnel(carrier, frame)),
    );
    channel.once('closed', () => {
      this.#countChannelDrops(carrier);
      sessions.ended.removeEventListener('abort', close);
      sessions.bandwidth.leave(carrier.share);
      sessions.release(carrier.connection);
      if (this.#carrier !== carrier) return;
      this.#carrier = undefined;
      this.flows.clear();
    });
    if (sessions.ended.aborted) close();
  }

  sweep(now: number): void {
    this.flows.sweep(now);
    if (this.#carrier) this.#countChannelDrops(this.#carrier);
  }

  closeCarrier(): void {
    this.#carrier?.channel.close();
  }

  #fromPublic(offset: number, payload: Buffer, peer: RemoteInfo): void {
    const carrier = this.#carrier;
    // Nothing can be sent back to port 0 (RFC 768): the source is forged or wants no response.
    if (peer.port === 0) return this.#drop('malformed');
    if (!carrier || !this.#isFor(carrier)) return this.#drop('no_tunnel');
    const flow = this.flows.heard({ address: peer.address, port: peer.port, offset }, performance.now());
    if (!flow) return this.#drop('too_many_flows');
    if (!this.#spend(carrier, 'up', payload.length)) return;
    for (const counters of this.counters) counters.up++;
    carrier.channel.send(encodeDatagram(flow.id, payload));
  }

  #fromTunnel(carrier: Carrier, bytes: Buffer): void {
    const frame = decodeDatagram(bytes);
    if (!frame) return this.#drop('malformed');
    const isCurrent = carrier === this.#carrier && this.#isFor(carrier);
    const flow = isCurrent ? this.flows.answered(frame.flow, performance.now()) : undefined;
    const socket = flow && this.#sockets[flow.offset];
    if (!flow || !socket) return this.#drop('unknown_flow');
    if (!this.#spend(carrier, 'down', frame.payload.length)) return;
    if (socket.getSendQueueSize() > maxPublicSendQueueBytes) return this.#drop('slow_network');
    socket.send(frame.payload, flow.port, flow.address, (error) => {
      if (!error) for (const counters of this.counters) counters.down++;
      else this.#drop((error as NodeJS.ErrnoException).code === 'EMSGSIZE' ? 'malformed' : 'slow_network');
    });
  }

  /** False for a moment while the identity's next lease, with another count of ports, replaces the carrier's. */
  #isFor({ sessions }: Carrier): boolean {
    return sessions.lease.udpPorts?.count === this.#sockets.length;
  }

  /** Counts bytes for the lease. @returns false when no bandwidth is left: the bytes count as dropped */
  #spend(carrier: Carrier, direction: 'up' | 'down', bytes: number): boolean {
    const { bandwidth, ownTraffic: traffic } = carrier.sessions;
    if (carrier.held) {
      this.#drop('bandwidth');
      return false;
    }
    if (
      bandwidth.limit !== undefined &&
      !bandwidth.spend(carrier.share, { resume: () => (carrier.held = false) }, bytes)
    ) {
      carrier.held = true;
    }
    traffic[direction] += bytes;
    carrier.connection.traffic[direction] += bytes;
    return true;
  }

  #countChannelDrops(carrier: Carrier): void {
    const { dropped, oversized } = carrier.channel;
    for (const counters of this.counters) {
      counters.dropped.slow_tunnel += dropped - carrier.counted.dropped;
      counters.dropped.too_large += oversized - carrier.counted.oversized;
    }
    carrier.counted = { dropped, oversized };
  }

  #drop(reason: DropReason): void {
    for (const counters of this.counters) counters.dropped[reason]++;
  }
}
