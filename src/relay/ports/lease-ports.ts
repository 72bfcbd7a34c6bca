import { repeat } from '../../util/boundary.js';
import type { PortAllocator, PortHold } from './port-allocator.js';

/** How often what is bound is held against the settings, and a lease's port that could not be bound is tried again. */
const portCheckIntervalMs = 1_000;

/** Which public ports a lease is to have beside its name. */
export interface RequestedPorts {
  tcp: boolean;
  udp: boolean;
}

/** The ports of a registration that is under way. */
export interface PortsHold {
  readonly tcpPort?: number | undefined;
  readonly udpPort?: number | undefined;
  commit(generation: string): void;
  rollback(): void;
}

/** The TCP and UDP ports of leases together. */
export class LeasePorts {
  #timer: NodeJS.Timeout | undefined;

  constructor(
    readonly tcp: PortAllocator,
    readonly udp: PortAllocator,
  ) {}

  /** @throws ApiError `feature_unavailable`, `tcp_port_disabled`, `udp_disabled` */
  assertOffered({ tcp, udp }: RequestedPorts): void {
    if (tcp) this.tcp.assertOffered();
    if (udp) this.udp.assertOffered();
  }

  /**
   * Gets hold of the ports, of the same number where that is free: a DNS server answers on both.
   * @throws ApiError as `PortAllocator.take`; nothing is held then
   */
  async take(key: string, hostname: string, { tcp, udp }: RequestedPorts): Promise<PortsHold> {
    const holds: PortHold[] = [];
    const take = async (allocator: PortAllocator, preferred: number | undefined) => {
      const hold = await allocator.take(key, hostname, preferred);
      holds.push(hold);
      return hold.port;
    };
    try {
      const tcpPort = tcp ? await take(this.tcp, this.udp.portOf(key)) : undefined;
      const udpPort = udp ? await take(this.udp, tcpPort) : undefined;
      return {
        tcpPort,
        udpPort,
        commit: (generation) => holds.forEach((hold) => hold.commit(generation)),
        rollback: () => holds.forEach((hold) => hold.rollback()),
      };
    } catch (error) {
      for (const hold of holds) hold.rollback();
      throw error;
    }
  }

  /** Frees the ports of a lease that has ended, but for those that another registration of the identity has taken over. */
  free(key: string, generation: string): void {
    this.tcp.free(key, generation);
    this.udp.free(key, generation);
  }

  /** @param leaseOf the live lease of an identity */
  async start(leaseOf: Parameters<PortAllocator['start']>[0]): Promise<void> {
    await this.tcp.start(leaseOf);
    await this.udp.start(leaseOf);
    this.#timer = repeat('port check', () => this.reconcile(), portCheckIntervalMs);
  }

  /** To be called when the operator has changed the settings; otherwise they take effect a moment later. */
  reconcile(): void {
    this.tcp.reconcile();
    this.udp.reconcile();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.tcp.stop();
    this.udp.stop();
  }
}
