import { connect, type Socket } from 'node:net';
import { encodeHopHeader, hopAnswer, type HopHeader, hopPort } from '../../protocol/hop-header.js';
import { NoPrefixError, readPrefix } from '../../net/read-prefix.js';
import type { NextHop } from '../leases/hop.js';
import type { OverlayRoutes } from '../overlay/overlay.js';
import { publicTcpOptions } from './public-connections.js';

/** Deadline of the TCP connection to the next relay. */
const connectTimeoutMs = 3_000;
/** Deadline of all: until the last relay has claimed a session. */
export const joinTimeoutMs = 10_000;
/** How long visitors do not wait for a relay that was silent. */
const silencePauseMs = 5_000;

/** Why the next relay did not take a visitor. */
export class HopError extends Error {
  override readonly name = 'HopError';

  /** @param isAsked whether a relay was asked, and has said no */
  constructor(
    message: string,
    readonly isAsked = false,
  ) {
    super(message);
  }
}

/** The way to the relays that come next on paths. */
export class NextHops {
  /** Relays that were silent, and until when no visitor waits for them. A peer each, and few that were. */
  readonly #silent = new Map<string, number>();

  /** @param overlay undefined when the relay has none */
  constructor(private readonly overlay: () => OverlayRoutes | undefined) {}

  /** Whether visitors can be passed on to it, as far as is known. */
  reaches({ relay }: NextHop): boolean {
    return this.overlay()?.routeTo(relay) !== undefined && !this.#isSilent(relay);
  }

  /**
   * Passes a visitor on: opens a connection to the next relay and waits until the last one has claimed a session.
   * @param early what the visitor has sent already
   * @returns the connection, paused, from the tunnel's first byte on
   * @throws HopError
   */
  async join(
    next: NextHop,
    header: Omit<HopHeader, 'token'>,
    early: Buffer | null,
    signal: AbortSignal,
  ): Promise<Socket> {
    const route = this.overlay()?.routeTo(next.relay);
    if (route === undefined) throw new HopError('it is no peer in the overlay');
    if (this.#isSilent(next.relay)) throw new HopError('it was silent a moment ago');
    signal.throwIfAborted();
    const socket = connect({ host: route.peer, port: hopPort, localAddress: route.own, ...publicTcpOptions });
    socket.on('error', () => undefined);
    const deadline = setTimeout(() => socket.destroy(), connectTimeoutMs);
    let isConnected = false;
    // boundary: cannot throw.
    socket.once('connect', () => {
      isConnected = true;
      clearTimeout(deadline);
    });
    socket.once('close', () => clearTimeout(deadline));
    socket.write(encodeHopHeader({ ...header, token: Buffer.from(next.token, 'base64url') }));
    if (early) socket.write(early);
    try {
      await this.#answer(socket, signal);
      this.#silent.delete(next.relay);
      return socket;
    } catch (error) {
      socket.destroy();
      const isSilent = error instanceof NoPrefixError && !signal.aborted && !isConnected;
      if (isSilent) this.#silent.set(next.relay, performance.now() + silencePauseMs);
      if (error instanceof HopError) throw error;
      throw new HopError(isConnected ? 'it did not take the visitor in time' : 'it is not reached in the overlay');
    }
  }

  async #answer(socket: Socket, signal: AbortSignal): Promise<void> {
    // The signal has the deadline of all.
    const answer = await readPrefix(socket, (chunk) => chunk, { signal });
    if (answer[0] !== hopAnswer.joined)
      throw new HopError(answer[0] === hopAnswer.unknownToken ? 'it does not know the token' : 'it refused', true);
    if (answer.length > 1) socket.unshift(answer.subarray(1));
  }

  #isSilent(relay: string): boolean {
    const until = this.#silent.get(relay);
    if (until === undefined) return false;
    if (until > performance.now()) return true;
    this.#silent.delete(relay);
    return false;
  }
}
