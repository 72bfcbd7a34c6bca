import { type Socket, createSocket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';
import type { DatagramChannel } from '../../streams/datagram-channel.js';
import { repeat } from '../../util/boundary.js';
import type { Logger } from '../../util/logger.js';
import type { BoundPorts } from '../ports/port-allocator.js';
import { type PortBlock, portsOf } from '../../net/port-block.js';
import type { LeaseSessions } from '../reverse/lease-sessions.js';
import { DatagramCounters } from './counters.js';
import { LeaseDatagrams } from './lease-datagrams.js';

const datagramSweepIntervalMs = 2_000;
export const maxFlows = 100_000;
/** Receive buffer of a public UDP port; the system may give less (net.core.rmem_max). */
const publicReceiveBufferBytes = 524_288;

interface Entry {
  datagrams: LeaseDatagrams;
  counters: DatagramCounters;
  /** Drops already logged. */
  told: number;
}

/** The datagrams of all leases, between public UDP ports and the carriers of tunnels. */
export class Datagrams {
  /** Counters of the whole relay. */
  readonly totals = new DatagramCounters();
  readonly #byHostname = new Map<string, Entry>();
  readonly #room = { left: maxFlows };
  #sweeper: NodeJS.Timeout | undefined;

  /** @param draining closes carriers, so that tunnels reconnect elsewhere, and accepts no more */
  constructor(
    private readonly logger: Logger,
    draining: AbortSignal,
  ) {
    const closeCarriers = () => this.#byHostname.forEach(({ datagrams }) => datagrams.closeCarrier());
    draining.addEventListener('abort', closeCarriers, { once: true });
  }

  get flows(): number {
    return maxFlows - this.#room.left;
  }

  countersOf(hostname: string): Readonly<DatagramCounters> | undefined {
    return this.#byHostname.get(hostname)?.counters;
  }

  start(): void {
    this.#sweeper = repeat('datagram sweep', () => this.#sweep(performance.now()), datagramSweepIntervalMs);
  }

  stop(): void {
    clearInterval(this.#sweeper);
    for (const { datagrams } of this.#byHostname.values()) datagrams.closeCarrier();
  }

  /** Binds a lease's public ports, all or none. @throws the system's error */
  async bind(host: string, block: PortBlock, hostname: string): Promise<BoundPorts> {
    const sockets: Socket[] = [];
    const closeAll = () => sockets.forEach((socket) => socket.close());
    try {
      for (const port of portsOf(block)) {
        const socket = createSocket({ type: isIPv6(host) ? 'udp6' : 'udp4', recvBufferSize: publicReceiveBufferBytes });
        sockets.push(socket);
        socket.bind({ address: host, port, exclusive: true });
        await once(socket, 'listening');
        socket.on('error', (error) => this.logger.debug({ hostname, port, err: error }, 'a UDP port failed'));
      }
    } catch (error) {
      closeAll();
      throw error;
    }
    const { datagrams } = this.#of(hostname);
    datagrams.open(sockets);
    return {
      close: () => {
        datagrams.socketsClosed(sockets);
        closeAll();
      },
    };
  }

  /** Attaches a carrier that a tunnel has opened to its lease. @param from the tunnel's address */
  attach(sessions: LeaseSessions, channel: DatagramChannel, from: string): void {
    const { hostname } = sessions.lease;
    this.#of(hostname).datagrams.attach(channel, sessions, from);
    this.logger.debug({ hostname, from }, 'datagram carrier open');
  }

  #of(hostname: string): Entry {
    let entry = this.#byHostname.get(hostname);
    if (!entry) {
      const counters = new DatagramCounters();
      const datagrams = new LeaseDatagrams(this.#room, [counters, this.totals]);
      this.#byHostname.set(hostname, (entry = { datagrams, counters, told: 0 }));
    }
    return entry;
  }

  #sweep(now: number): void {
    for (const [hostname, entry] of this.#byHostname) {
      entry.datagrams.sweep(now);
      const { up, down, dropped, droppedInAll } = entry.counters;
      if (droppedInAll > entry.told) {
        entry.told = droppedInAll;
        this.logger.debug({ hostname, up, down, dropped, flows: entry.datagrams.flows.size }, 'datagrams dropped');
      }
      if (entry.datagrams.isUnused) this.#byHostname.delete(hostname);
    }
  }
}
