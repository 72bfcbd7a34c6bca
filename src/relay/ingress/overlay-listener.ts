import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { listen } from '../../net/listen.js';
import { guard } from '../../util/boundary.js';
import type { OverlayPort } from '../overlay/overlay.js';
import { type PublicConnections, publicTcpOptions } from './public-connections.js';

export interface OverlayListenerOptions {
  /** TCP. */
  port: number;
  connections: PublicConnections;
  serve(socket: Socket): Promise<void>;
}

/** A port of this relay's address in the overlay. It may be started again after a stop. */
export class OverlayListener implements OverlayPort {
  #server: Server | undefined;

  constructor(private readonly options: OverlayListenerOptions) {}

  get port(): number {
    return this.options.port;
  }

  async start(address: string): Promise<void> {
    const server = createServer(
      publicTcpOptions,
      guard(
        'overlay connection',
        (socket: Socket) => this.options.serve(socket),
        (socket) => socket.destroy(),
      ),
    );
    this.#server = server;
    await listen(server, { host: address, port: this.port });
    // For example EMFILE, which is temporary.
    server.on('error', () => {});
  }

  /** Stops listening, and ends the connections. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server?.listening) return;
    server.close();
    this.options.connections.close();
    await once(server, 'close');
  }
}
