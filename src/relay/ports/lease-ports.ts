import { repeat } from '../../util/boundary.js';
import { portCheckIntervalMs } from '../constants.js';
import type { PortBook, PortGrip } from './port-allocator.js';

/** Which public ports a lease is to have beside its name. */
export interface WantedPorts {
  tcp: boolean;
  udp: boolean;
}

/** The ports of a registration that is under way. */
export interface PortsGrip {
  readonly tcpPort?: number;
  readonly udpPort?: number;
  keep(generation: string): void;
  drop(): void;
}

/** The TCP and UDP ports of leases together. */
export class LeasePorts {
  #timer: NodeJS.Timeout | undefined;

  constructor(
    readonly tcp: PortBook,
    readonly udp: PortBook,
  ) {}

  /** @throws ApiError `feature_unavailable`, `tcp_port_disabled`, `udp_disabled` */
  assertOffered({ tcp, udp }: WantedPorts): void {
    if (tcp) this.tcp.assertOffered();
    if (udp) this.udp.assertOffered();
  }

  /**
   * Gets hold of the ports, of the same number where that is free: a DNS server answers on both.
   * @throws ApiError as `PortBook.take`; nothing is held then
   */
  async take(key: string, hostname: string, { tcp, udp }: WantedPorts): Promise<PortsGrip> {
    const grips: PortGrip[] = [];
    const take = async (book: PortBook, preferred: number | undefined) => {
      const grip = await book.take(key, hostname, preferred);
      grips.push(grip);
      return grip.port;
    };
    try {
      const tcpPort = tcp ? await take(this.tcp, this.udp.portOf(key)) : undefined;
      const udpPort = udp ? await take(this.udp, tcpPort) : undefined;
      return {
        tcpPort,
        udpPort,
        keep: (generation) => grips.forEach((grip) => grip.keep(generation)),
        drop: () => grips.forEach((grip) => grip.drop()),
      };
    } catch (error) {
      for (const grip of grips) grip.drop();
      throw error;
    }
  }

  /** Frees the ports of a lease that has ended, but for those that another registration of the identity has taken over. */
  free(key: string, generation: string): void {
    this.tcp.free(key, generation);
    this.udp.free(key, generation);
  }

  /** @param leaseOf the live lease of an identity */
  async start(leaseOf: Parameters<PortBook['start']>[0]): Promise<void> {
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
