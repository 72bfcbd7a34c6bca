import { randomBytes } from 'node:crypto';
import type { SharedStore } from '../store/store.js';
import { ApiError } from '../../contract/index.js';
import type { Lease } from '../leases/lease.js';
import { bindingBytes } from '../../protocol/session-opening.js';

const bindingTtlMs = 30_000;

/** What a binding stands for: a routed public connection, its lease and its ClientHello. */
export interface RoutedConnection {
  hostname: string;
  generation: string;
  /** The handshake message as the visitor sent it, with its 4-byte header. */
  clientHello: Buffer;
}

interface Held {
  connection: RoutedConnection;
  timer: NodeJS.Timeout;
  /** It is in the shared store: who takes it from there may spend it. */
  isShared: boolean;
}

const nameOf = (key: string) => `binding:${key}`;

/**
 * Unspent bindings. Each allows one signature, for one connection, for at most 30 seconds, and none once that
 * connection is closed.
 */
export class Bindings {
  readonly #open = new Map<string, Held>();

  /**
   * @param shared present where other nodes may be asked to sign for a connection that this one routed
   * @param takeRouted takes the binding of a connection of this lease that was routed elsewhere in this process
   */
  constructor(
    private readonly shared?: Pick<SharedStore, 'putOnce' | 'take' | 'isUp'>,
    private readonly takeRouted: (binding: Buffer, lease: Lease) => Promise<Buffer | undefined> = () =>
      Promise.resolve(undefined),
  ) {}

  get size(): number {
    return this.#open.size;
  }

  issue(connection: RoutedConnection): Buffer {
    const binding = randomBytes(bindingBytes);
    const key = binding.toString('base64');
    this.#keep(key, connection);
    return binding;
  }

  /** Lets other nodes spend the binding, instead of this one alone. While the store is away it stays here. */
  async share(binding: Buffer): Promise<void> {
    const key = binding.toString('base64');
    const held = this.#open.get(key);
    if (!this.shared?.isUp || !held) return;
    const { connection } = held;
    const value = JSON.stringify({ ...connection, clientHello: connection.clientHello.toString('base64') });
    held.isShared = await this.shared.putOnce(nameOf(key), value, bindingTtlMs).catch(() => false);
  }

  /**
   * Takes a binding that is elsewhere, so that it can be spent here. Never rejects: what could not be taken is unknown.
   * @param key base64
   */
  async bring(key: string, lease: Lease): Promise<void> {
    const held = this.#open.get(key);
    const clientHello = held ? undefined : await this.takeRouted(Buffer.from(key, 'base64'), lease);
    if (clientHello) {
      const { hostname, generation } = lease;
      return this.#keep(key, { hostname, generation, clientHello });
    }
    if (!this.shared || (held && !held.isShared)) return;
    const value = await this.shared.take(nameOf(key)).catch(() => undefined);
    if (held) this.#drop(key, held.timer);
    if (value === undefined) return;
    const connection = JSON.parse(value) as Omit<RoutedConnection, 'clientHello'> & { clientHello: string };
    this.#keep(key, { ...connection, clientHello: Buffer.from(connection.clientHello, 'base64') });
  }

  #keep(key: string, connection: RoutedConnection): void {
    const timer = setTimeout(() => this.#open.delete(key), bindingTtlMs);
    this.#open.set(key, { connection, timer, isShared: false });
  }

  /**
   * Spends the binding, whatever the result of the signature.
   * @param binding base64
   * @throws ApiError `invalid_request` when unknown, spent, expired, or of another lease (which can still use it)
   */
  spend(binding: string, lease: { hostname: string; generation: string }): RoutedConnection {
    const held = this.#open.get(binding);
    if (
      !held ||
      held.isShared ||
      held.connection.hostname !== lease.hostname ||
      held.connection.generation !== lease.generation
    ) {
      throw new ApiError('invalid_request', 'the binding is unknown, spent or expired');
    }
    this.#drop(binding, held.timer);
    return held.connection;
  }

  /** The public connection has closed. */
  revoke(binding: Buffer): void {
    const key = binding.toString('base64');
    const held = this.#open.get(key);
    if (held) this.#drop(key, held.timer);
    // While the store is away it expires by itself.
    if (held?.isShared) this.shared?.take(nameOf(key)).catch(() => undefined);
  }

  close(): void {
    for (const [key, { timer }] of this.#open) this.#drop(key, timer);
  }

  #drop(key: string, timer: NodeJS.Timeout): void {
    clearTimeout(timer);
    this.#open.delete(key);
  }
}
