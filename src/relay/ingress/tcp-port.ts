import { type Server, type Socket, createServer } from 'node:net';
import type { ListeningSockets } from '../../net/listening-sockets.js';
import { guard } from '../../util/boundary.js';
import type { Lease } from '../leases/lease.js';
import type { BoundPorts } from '../ports/port-allocator.js';
import type { VisitorForwarder } from './visitor-forwarder.js';
import { type PublicConnections, publicTcpOptions } from './public-connections.js';

export interface TcpPortOptions {
  host: string;
  port: number;
  sockets: ListeningSockets;
  /** The lease that has the port now. */
  lease(): Lease | undefined;
}

/** A lease's own port for raw TCP: every connection goes to its tunnel, from the first byte on. */
export class TcpPort implements BoundPorts {
  readonly #server: Server;
  readonly #open = new Set<Socket>();

  private constructor(
    private readonly options: TcpPortOptions,
    private readonly connections: PublicConnections,
    private readonly forwarder: VisitorForwarder,
  ) {
    this.#server = createServer(
      publicTcpOptions,
      guard(
        'port connection',
        (socket: Socket) => this.#serve(socket),
        (socket) => socket.destroy(),
      ),
    );
  }

  /** @throws the system's error when the port cannot be bound */
  static async bind(
    options: TcpPortOptions,
    connections: PublicConnections,
    forwarder: VisitorForwarder,
  ): Promise<TcpPort> {
    const port = new TcpPort(options, connections, forwarder);
    const server = port.#server;
    await options.sockets.listen(server, { host: options.host, port: options.port, exclusive: true });
    // For example EMFILE, which is temporary.
    server.on('error', () => {});
    return port;
  }

  close(cut: boolean): void {
    this.#server.close();
    if (cut) for (const socket of this.#open) socket.resetAndDestroy();
  }

  async #serve(socket: Socket): Promise<void> {
    this.#open.add(socket);
    socket.once('close', () => this.#open.delete(socket));
    const visitor = await this.connections.admit(socket);
    if (!visitor) return;
    const lease = this.options.lease();
    const joined =
      lease !== undefined && (await this.forwarder.forward({ socket, addresses: visitor.addresses }, lease));
    // No tunnel: reset the connection, the closest to a closed port.
    if (!joined && !socket.destroyed) socket.resetAndDestroy();
  }
}
