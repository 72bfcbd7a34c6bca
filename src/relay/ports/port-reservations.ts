import type { PortProtocol, PortRecord, Store } from '../store/store.js';
import { type PortBlock, portsOf } from '../../net/port-block.js';

interface Reservation {
  readonly key: string;
  readonly block: PortBlock;
  /** Milliseconds since the epoch. */
  readonly until: number;
}

/**
 * Ports that ended leases had, each kept for its identity for a while, so that a tunnel that reconnects gets its address
 * again. An identity has one reservation: the latest. They are stored too, and survive a restart.
 */
export class PortReservations {
  readonly #byKey = new Map<string, Reservation>();
  readonly #byPort = new Map<number, Reservation>();

  constructor(
    private readonly protocol: PortProtocol,
    private readonly store: Store,
  ) {}

  blockOf(key: string): PortBlock | undefined {
    return this.#byKey.get(key)?.block;
  }

  /** Whether a port is reserved for another identity. */
  isKeptFrom(key: string, port: number): boolean {
    const reservation = this.#byPort.get(port);
    return reservation !== undefined && reservation.key !== key && reservation.until > Date.now();
  }

  /** Takes effect at once, before the store has it. */
  async keep({ identityKey: key, block }: PortRecord, until: number): Promise<void> {
    const ended = [this.#byKey.get(key), ...this.#at(block)].filter((each) => each !== undefined);
    for (const reservation of ended) this.#remove(reservation);
    const reservation = { key, block, until };
    this.#byKey.set(key, reservation);
    for (const port of portsOf(block)) this.#byPort.set(port, reservation);
    await this.store.putPorts({ protocol: this.protocol, block, identityKey: key, keptUntil: until });
    await this.#unwrite(ended, block);
  }

  /** Ends the reservations of ports that are allocated now. */
  async end(block: PortBlock): Promise<void> {
    const ended = this.#at(block);
    for (const reservation of ended) this.#remove(reservation);
    await this.#unwrite(ended, block);
  }

  async endExpired(): Promise<void> {
    const now = Date.now();
    const ended = [...this.#byKey.values()].filter(({ until }) => until <= now);
    for (const reservation of ended) this.#remove(reservation);
    await this.#unwrite(ended);
  }

  #at(block: PortBlock): Reservation[] {
    return [...new Set(portsOf(block).map((port) => this.#byPort.get(port)))].filter((each) => each !== undefined);
  }

  #remove(reservation: Reservation): void {
    if (this.#byKey.get(reservation.key) === reservation) this.#byKey.delete(reservation.key);
    for (const port of portsOf(reservation.block))
      if (this.#byPort.get(port) === reservation) this.#byPort.delete(port);
  }

  /** Deletes the records, except one that `by` has replaced. */
  async #unwrite(ended: Reservation[], by?: PortBlock): Promise<void> {
    for (const { block } of ended)
      if (block.first !== by?.first) await this.store.deletePorts(this.protocol, block.first);
  }
}
