import type { Socket } from 'node:net';
import { normalizeIp } from '../../net/ip-address.js';
import type { ProxiedAddresses } from '../../protocol/proxy-protocol.js';
import type { AddressList } from '../../net/address-list.js';
import { sourceOf } from '../../net/source-network.js';
import { relayKeepAliveMs } from '../../net/tcp-keepalive.js';
import { FairSlots } from '../../util/fair-slots.js';
import { ConcurrencyLimiter } from '../../util/concurrency-limiter.js';
import type { OutcomeObserver } from './connection-outcome.js';
import { readProxyHeader } from './read-proxy-header.js';

export const maxPublicConnections = 50_000;
export const maxHelloWaits = 8_192;

/** How every public listener accepts connections. */
export const publicTcpOptions = {
  allowHalfOpen: true,
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: relayKeepAliveMs,
};

/** A connection that was accepted. */
export interface Visitor {
  /** The client's address, as far as it is known here. */
  addresses: ProxiedAddresses;
  /** The client's address from a balancer's PROXY header. */
  passedOn?: ProxiedAddresses | undefined;
  /** What counts as one source in limits. */
  source: string;
  /** Releases the connection from its source's limit. */
  uncount(): void;
}

export interface PublicConnectionLimits {
  maxConnectionsPerSource: number;
  /** Balancers, whose every connection must begin with a PROXY header. */
  isBalancer: AddressList;
  onOutcome?: OutcomeObserver | undefined;
}

/** Counts by source that other threads have a part in. */
export interface SharedSources {
  readonly total: number;
  /** @returns false, without counting, when that would exceed the source's limit */
  add(source: string): boolean;
  remove(source: string): void;
}

/** The public connections on all ports, counted in all and by source. */
export class PublicConnections {
  readonly #open = new Set<Socket>();
  readonly #bySource: ConcurrencyLimiter;
  /** Counts by source, with the connections that are elsewhere; and how many of them are these. */
  #shared: { counts: SharedSources; own: number } | undefined;
  /** Connections whose first bytes are awaited. */
  readonly #awaited = new FairSlots(maxHelloWaits);

  constructor(private readonly limits: PublicConnectionLimits) {
    this.#bySource = new ConcurrencyLimiter(limits.maxConnectionsPerSource);
  }

  /** Connections that are open, elsewhere as well. */
  get open(): number {
    return this.#open.size + (this.#shared ? this.#shared.counts.total - this.#shared.own : 0);
  }

  /** From here on, connections elsewhere count too; undefined when there are none any more. */
  share(counts: SharedSources | undefined): void {
    this.#shared = counts && { counts, own: 0 };
    for (const [source, uses] of this.#bySource.uses())
      for (let left = uses; left > 0; left--) this.#countShared(source);
  }

  #countShared(source: string): boolean {
    if (this.#shared && !this.#shared.counts.add(source)) return false;
    if (this.#shared) this.#shared.own++;
    return true;
  }

  #count(source: string): boolean {
    if (!this.#bySource.add(source)) return false;
    if (this.#countShared(source)) return true;
    this.#bySource.remove(source);
    return false;
  }

  #uncount(source: string): void {
    this.#bySource.remove(source);
    if (!this.#shared) return;
    this.#shared.counts.remove(source);
    this.#shared.own--;
  }

  /** Closes a connection that was made elsewhere together with all others. */
  keep(socket: Socket): void {
    this.#open.add(socket);
    // boundary: cannot throw.
    socket.once('close', () => this.#open.delete(socket));
  }

  /** Admits a connection. @returns undefined when it exceeds a limit or is already closed; it is closed then */
  async admit(socket: Socket): Promise<Visitor | undefined> {
    socket.on('error', () => {});
    // No alert: it would cost more than the connection that is not served.
    if (this.open >= maxPublicConnections) return this.#overLimit(socket);
    this.keep(socket);
    const ends = endsOf(socket);
    let passedOn: ProxiedAddresses | undefined;
    if (this.limits.isBalancer(ends.source.address)) {
      const header = await this.awaiting(socket, sourceOf(ends.source.address), () => readProxyHeader(socket));
      if (header === 'too many') return undefined;
      if (!header || socket.destroyed) return void this.limits.onOutcome?.('no_proxy_header');
      passedOn = header.addresses;
    }
    const addresses = passedOn ?? ends;
    const source = sourceOf(addresses.source.address);
    if (!this.#count(source)) return this.#overLimit(socket);
    let isCounted = true;
    const uncount = () => {
      if (isCounted) this.#uncount(source);
      isCounted = false;
    };
    socket.once('close', uncount);
    return { addresses, passedOn, source, uncount };
  }

  /**
   * Waits for the first bytes of a connection. When too many connections wait, the oldest of the source with the most
   * is closed and counted.
   */
  async awaiting<T>(
    socket: Socket,
    source: string,
    read: () => Promise<T | undefined>,
  ): Promise<T | 'too many' | undefined> {
    let isEvicted = false;
    const release = this.#awaited.take(source, () => {
      isEvicted = true;
      this.refusePending(socket);
    });
    try {
      const found = await read();
      return isEvicted ? 'too many' : found;
    } finally {
      release();
    }
  }

  refusePending(socket: Socket): 'too many' {
    this.limits.onOutcome?.('too_many_pending');
    socket.destroy();
    return 'too many';
  }

  #overLimit(socket: Socket): undefined {
    this.limits.onOutcome?.('over_limit');
    socket.destroy();
  }

  /** Closes all connections. */
  close(): void {
    for (const socket of this.#open) socket.destroy();
  }
}

function endsOf(socket: Socket): ProxiedAddresses {
  return {
    source: { address: normalizeIp(socket.remoteAddress), port: socket.remotePort ?? 0 },
    destination: { address: normalizeIp(socket.localAddress), port: socket.localPort ?? 0 },
  };
}
