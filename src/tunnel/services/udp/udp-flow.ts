import { type Socket, createSocket } from 'node:dgram';
import type { LookupAddress } from 'node:dns';
import { EventEmitter } from 'node:events';

/** Datagrams of one flow that wait for its socket. */
const maxUdpWaiting = 64;
/** Bytes in the send queue of one flow; above it datagrams are dropped. */
const maxUdpQueueBytes = 262_144;

export interface UdpFlowEvents {
  /** The service has sent a datagram. */
  message: [payload: Buffer];
  /** The last event. With an error when the service cannot be reached. */
  closed: [error: Error | undefined];
}

/** One public peer as the local service sees it: a connected UDP socket that receives from the service only. */
export class UdpFlow extends EventEmitter<UdpFlowEvents> {
  /** When its peer last sent a datagram, by the monotonic clock. */
  heardAt = performance.now();
  #socket: Socket | undefined;
  /** Datagrams that arrived before the socket was open. */
  readonly #waiting: Buffer[] = [];
  #isConnected = false;
  #isClosed = false;

  constructor(address: Promise<LookupAddress>, port: number) {
    super();
    address.then((found) => this.#connect(found, port)).catch((error: unknown) => this.close(error as Error));
  }

  /** @returns false when it was dropped: the service, or the machine, does not keep up */
  send(payload: Buffer): boolean {
    this.heardAt = performance.now();
    const socket = this.#socket;
    if (!socket || !this.#isConnected) {
      if (this.#waiting.length >= maxUdpWaiting) return false;
      this.#waiting.push(payload);
      return true;
    }
    if (socket.getSendQueueSize() > maxUdpQueueBytes) return false;
    socket.send(payload);
    return true;
  }

  close(error?: Error): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#socket?.close();
    this.emit('closed', error);
  }

  #connect({ address, family }: LookupAddress, port: number): void {
    if (this.#isClosed) return;
    const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
    this.#socket = socket;
    socket.on('message', (payload) => this.emit('message', payload));
    socket.on('error', (error) => this.close(error));
    // A connected socket receives from its peer only, and gets ECONNREFUSED when nothing listens there.
    socket.connect(port, address, () => {
      this.#isConnected = true;
      for (const payload of this.#waiting.splice(0)) socket.send(payload);
    });
  }
}
