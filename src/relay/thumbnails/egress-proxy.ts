import { type IncomingMessage, type Server, createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { proxyHeadTimeoutMs, maxProxyBytes, maxProxyConnections } from './limits.js';
import { guard } from '../../util/boundary.js';

/**
 * An HTTP proxy for one browser with one destination: CONNECT to `authority` is connected to the result of `dial`;
 * everything else is refused. Connections and bytes are bounded.
 */
export class EgressProxy {
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  #left = maxProxyBytes;
  /** Number of refused requests. */
  refused = 0;

  /** @param authority `host:port` */
  constructor(authority: string, dial: () => Socket) {
    // No response: a page would take it for the destination's.
    this.#server = createServer({ headersTimeout: proxyHeadTimeoutMs, maxHeaderSize: 16_384 });
    const refuse = ({ socket }: IncomingMessage) => {
      this.refused++;
      socket.destroy();
    };
    const cut = (socket: Socket) => socket.destroy();
    this.#server.on('request', guard('browser connection', refuse));
    this.#server.maxConnections = maxProxyConnections;
    this.#server.on(
      'connection',
      guard('browser connection', (socket: Socket) => void this.#hold(socket), cut),
    );
    const tunnel = ({ url = '' }: IncomingMessage, browser: Socket, head: Buffer) => {
      if (url.toLowerCase() !== authority) {
        this.refused++;
        browser.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n');
        return;
      }
      const onward = this.#hold(dial());
      onward.once('close', () => browser.destroy());
      browser.once('close', () => onward.destroy());
      browser.write('HTTP/1.1 200 Connection established\r\n\r\n');
      if (head.length > 0) onward.write(head);
      const count = guard('browser connection', (chunk: Buffer) => this.#count(chunk.length));
      browser.on('data', count);
      onward.on('data', count);
      browser.pipe(onward).pipe(browser);
    };
    this.#server.on(
      'connect',
      guard('browser connection', tunnel, (_request, browser) => cut(browser)),
    );
  }

  /** @returns `host:port` of this proxy, on loopback */
  async start(): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host: '127.0.0.1', port: 0 }, resolve);
    });
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Ends every connection as well. */
  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#destroy();
    await closed;
  }

  #hold(socket: Socket): Socket {
    this.#open.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => this.#open.delete(socket));
    return socket;
  }

  #count(bytes: number): void {
    this.#left -= bytes;
    if (this.#left < 0) this.#destroy();
  }

  #destroy(): void {
    for (const socket of this.#open) socket.destroy();
  }
}
