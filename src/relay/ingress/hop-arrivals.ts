import type { Socket } from 'node:net';
import { hopAnswer, type HopAnswer, type HopHeader, parseHopHeader } from '../../protocol/hop-header.js';
import { ProxyProtocolError } from '../../protocol/proxy-protocol.js';
import { NoPrefixError, readPrefix } from '../../net/read-prefix.js';
import type { OutcomeObserver } from './connection-outcome.js';
import type { PublicConnections } from './public-connections.js';
import type { Routing } from './routing.js';
import type { VisitorForwarder } from './visitor-forwarder.js';

/** Deadline of the header. */
const headerTimeoutMs = 2_000;

export interface HopArrivalsOptions {
  routing: Pick<Routing, 'leaseOfHop'>;
  onOutcome?: OutcomeObserver | undefined;
}

/** Takes visitors that other relays pass on to this one. */
export class HopArrivals {
  constructor(
    private readonly options: HopArrivalsOptions,
    private readonly connections: PublicConnections,
    private readonly forwarder: VisitorForwarder,
  ) {}

  async serve(socket: Socket): Promise<void> {
    const visitor = await this.connections.admit(socket);
    if (!visitor) return;
    const header = await this.connections.awaiting(socket, visitor.source, () => readHopHeader(socket));
    if (header === 'too many' || socket.destroyed) return;
    if (header === undefined) {
      this.options.onOutcome?.('no_hop_header');
      return void socket.destroy();
    }
    const lease = this.options.routing.leaseOfHop(header.token);
    if (lease === undefined) {
      this.options.onOutcome?.('unknown_hop_token');
      return answer(socket, 'unknownToken');
    }
    const { binding, connectionId, addresses } = header;
    const joined = await this.forwarder.forward({ socket, addresses, hop: { binding, connectionId } }, lease);
    if (joined !== true && !socket.destroyed) answer(socket, joined === 'loop' ? 'loop' : 'noSession');
  }
}

/** Refuses, and closes the connection. */
function answer(socket: Socket, reason: HopAnswer): void {
  socket.end(Buffer.from([hopAnswer[reason]]), () => socket.destroySoon());
  socket.resume();
  socket.setTimeout(1_000, () => socket.destroy());
}

/** @returns undefined when there is no valid header in time; the bytes after it are put back, and the socket is paused */
async function readHopHeader(socket: Socket): Promise<HopHeader | undefined> {
  let bytes: Buffer = Buffer.alloc(0);
  const take = (chunk: Buffer) => {
    bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
    return parseHopHeader(bytes);
  };
  try {
    const header = await readPrefix(socket, take, { timeoutMs: headerTimeoutMs });
    if (bytes.length > header.length) socket.unshift(bytes.subarray(header.length));
    return header;
  } catch (error) {
    if (error instanceof NoPrefixError || error instanceof ProxyProtocolError) return undefined;
    throw error;
  }
}
