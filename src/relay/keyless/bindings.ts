import { randomBytes } from 'node:crypto';
import { ApiError } from '../../contract/index.js';
import { bindingBytes } from '../../protocol/session-opening.js';

const bindingTtlMs = 30_000;

/** What a binding stands for: a routed public connection, its lease and its ClientHello. */
export interface RoutedConnection {
  hostname: string;
  generation: string;
  /** The handshake message as the visitor sent it, with its 4-byte header. */
  clientHello: Buffer;
}

/**
 * Unspent bindings. Each allows one signature, for one connection, for at most 30 seconds, and none once that
 * connection is closed.
 */
export class Bindings {
  readonly #open = new Map<string, { connection: RoutedConnection; timer: NodeJS.Timeout }>();

  get size(): number {
    return this.#open.size;
  }

  issue(connection: RoutedConnection): Buffer {
    const binding = randomBytes(bindingBytes);
    const key = binding.toString('base64');
    const timer = setTimeout(() => this.#open.delete(key), bindingTtlMs);
    this.#open.set(key, { connection, timer });
    return binding;
  }

  /**
   * Spends the binding, whatever the result of the signature.
   * @param binding base64
   * @throws ApiError `invalid_request` when unknown, spent, expired, or of another lease (which can still use it)
   */
  spend(binding: string, lease: { hostname: string; generation: string }): RoutedConnection {
    const held = this.#open.get(binding);
    if (!held || held.connection.hostname !== lease.hostname || held.connection.generation !== lease.generation) {
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
  }

  close(): void {
    for (const [key, { timer }] of this.#open) this.#drop(key, timer);
  }

  #drop(key: string, timer: NodeJS.Timeout): void {
    clearTimeout(timer);
    this.#open.delete(key);
  }
}
