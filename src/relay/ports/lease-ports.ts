import { repeat } from '../../util/boundary.js';
import type { PortAllocator, PortHold } from './port-allocator.js';
import type { PortBlock } from '../../net/port-block.js';

/** How often bound ports are reconciled with the settings, and failed binds are retried. */
const portCheckIntervalMs = 1_000;

/** A port of this number, or of any; or several with consecutive numbers, from this one on. */
export interface RequestedPort {
  readonly number?: number | undefined;
  readonly count?: number | undefined;
}

/** The public ports that a lease wants besides its name. */
export interface RequestedPorts {
  readonly tcp: RequestedPort | false;
  readonly udp: RequestedPort | false;
}

/** The ports of a registration in progress. */
export interface PortsHold {
  readonly tcpPort?: number | undefined;
  readonly udpPorts?: PortBlock | undefined;
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

  /** @throws ApiError `feature_unavailable`, `tcp_port_disabled`, `udp_disabled`, `invalid_request` */
  assertOffered({ tcp, udp }: RequestedPorts): void {
    if (tcp) this.tcp.assertOffered({ required: tcp.number });
    if (udp) this.udp.assertOffered({ required: udp.number, count: udp.count });
  }

  /**
   * Acquires the ports, with the same number for TCP and UDP if possible, as a DNS server needs it.
   * @throws ApiError as `PortAllocator.take`; no port is held then
   */
  async take(key: string, hostname: string, { tcp, udp }: RequestedPorts): Promise<PortsHold> {
    const holds: PortHold[] = [];
    const take = async (allocator: PortAllocator, wanted: RequestedPort, preferred: number | undefined) => {
      const { number: required, count } = wanted;
      const hold = await allocator.take(key, hostname, { required, count, preferred });
      holds.push(hold);
      return hold.block;
    };
    try {
      const preferred = (udp && udp.number) || this.udp.blockOf(key)?.first;
      const tcpPort = tcp ? (await take(this.tcp, tcp, preferred)).first : undefined;
      const udpPorts = udp ? await take(this.udp, udp, tcpPort) : undefined;
      return {
        tcpPort,
        udpPorts,
        commit: (generation) => holds.forEach((hold) => hold.commit(generation)),
        rollback: () => holds.forEach((hold) => hold.rollback()),
      };
    } catch (error) {
      for (const hold of holds) hold.rollback();
      throw error;
    }
  }

  /** Releases the ports of an ended lease, except those taken over by another registration of the identity. */
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

  /** Call this when the operator has changed the settings; otherwise they take effect at the next reconciliation. */
  reconcile(): void {
    this.tcp.reconcile();
    this.udp.reconcile();
  }

  /** @param cut whether their connections end, too */
  stop(cut: boolean): void {
    clearInterval(this.#timer);
    this.tcp.stop(cut);
    this.udp.stop(cut);
  }
}
