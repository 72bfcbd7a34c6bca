import { once } from 'node:events';
import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { listen } from '../../net/listen.js';
import { NoPrefixError, readPrefix } from '../../net/read-prefix.js';
import { ProxyProtocolError } from '../../protocol/proxy-protocol.js';
import { TlsAlertError } from '../../tls/codec/alerts.js';
import { ClientHelloReader } from '../../tls/records/client-hello-reader.js';
import { guard, repeat } from '../../util/boundary.js';
import { ConcurrencyLimiter } from '../../util/concurrency-limiter.js';
import type { Routing } from '../ingress/routing.js';
import { maxClientHelloBytes } from '../ingress/read-client-hello.js';
import type { VisitorForwarder } from '../ingress/visitor-forwarder.js';
import type { NodeIdentity } from './node-identity.js';
import {
  nodeAnswer,
  type NodeVisitor,
  parseNodeVisitor,
  presenceProtocol,
  visitorProtocol,
} from '../../protocol/node-visitor.js';
import type { OwnPresence } from './own-presence.js';

const handshakeTimeoutMs = 5_000;
/** Until the header and the ClientHello are there, which the other node has already. */
const headerTimeoutMs = 5_000;
const maxConnections = 60_000;
/** Connections from one address that have not proven the key yet. */
const maxUnknownPerSource = 1_024;
const lifeSignIntervalMs = 2_000;
/** What is written to a node that does not read: then it is to connect again. */
const maxUnreadBytes = 16_777_216;

export interface NodeListenerOptions {
  /** `host:port` to listen on. */
  host: string;
  port: number;
  identity: NodeIdentity;
  presence: OwnPresence;
  routing: Pick<Routing, 'leaseAt'>;
  forwarder: Pick<VisitorForwarder, 'forward'>;
}

/** Takes visitors that other nodes of this relay pass on, and tells those for which names this node has tunnels. */
export class NodeListener {
  readonly #server: Server;
  /** The TCP connections below TLS, by the other end's address and port; `onKnown` is called once that has proven its key. */
  readonly #open = new Map<string, { socket: Socket; onKnown(): void }>();
  readonly #unknown = new ConcurrencyLimiter(maxUnknownPerSource);

  constructor(private readonly options: NodeListenerOptions) {
    const { identity } = options;
    this.#server = createServer({
      key: identity.key,
      cert: identity.cert,
      requestCert: true,
      // Whose key it is decides, below.
      rejectUnauthorized: false,
      minVersion: 'TLSv1.3',
      ALPNProtocols: [visitorProtocol, presenceProtocol],
      allowHalfOpen: true,
      noDelay: true,
      handshakeTimeout: handshakeTimeoutMs,
      sessionIdContext: 'portal nodes',
    });
    this.#server.maxConnections = maxConnections;
    // boundary: cannot throw.
    this.#server.on('connection', (socket: Socket) => {
      const source = socket.remoteAddress ?? '';
      if (!this.#unknown.add(source)) return void socket.destroy();
      let isCounted = true;
      const onKnown = () => {
        if (isCounted) this.#unknown.remove(source);
        isCounted = false;
      };
      const ends = endsOf(socket);
      this.#open.set(ends, { socket, onKnown });
      // boundary: cannot throw.
      socket.once('close', () => {
        onKnown();
        if (this.#open.get(ends)?.socket === socket) this.#open.delete(ends);
      });
    });
    this.#server.on(
      'secureConnection',
      guard(
        'node connection',
        (socket: TLSSocket) => this.#serve(socket),
        (socket) => socket.destroy(),
      ),
    );
    // A handshake that fails, or for example EMFILE, which is temporary.
    this.#server.on('tlsClientError', () => undefined).on('error', () => undefined);
  }

  /** @throws the system's error when the port cannot be bound */
  async start(): Promise<void> {
    const { host, port } = this.options;
    await listen(this.#server, { host, port });
  }

  /** Leaves the port to another process. What is open goes on. */
  release(): void {
    this.#server.close();
  }

  /** Ends the connections, too. */
  async stop(): Promise<void> {
    this.#server.close();
    for (const { socket } of this.#open.values()) socket.destroy();
    if (this.#open.size > 0) await once(this.#server, 'close');
  }

  async #serve(socket: TLSSocket): Promise<void> {
    socket.on('error', () => undefined);
    if (!this.options.identity.isOwn(socket)) return void socket.destroy();
    this.#open.get(endsOf(socket))?.onKnown();
    if (socket.alpnProtocol === presenceProtocol) return this.#tell(socket);
    await this.#takeVisitor(socket);
  }

  #tell(socket: TLSSocket): void {
    const write = (line: string) => {
      socket.write(`${line}\n`, 'latin1');
      if (socket.writableLength > maxUnreadBytes) socket.destroy();
    };
    socket.resume();
    socket.once('end', () => socket.destroy());
    const signs = repeat('node presence', () => write('.'), lifeSignIntervalMs);
    socket.cork();
    const unfollow = this.options.presence.follow((name, isPresent) => write(`${isPresent ? '+' : '-'}${name}`));
    write('.');
    socket.uncork();
    // boundary: cannot throw.
    socket.once('close', () => {
      clearInterval(signs);
      unfollow();
    });
  }

  async #takeVisitor(socket: TLSSocket): Promise<void> {
    const arrival = await readArrival(socket);
    if (arrival === undefined || socket.destroyed) return void socket.destroy();
    const { hostname, addresses, clientHello } = arrival;
    const lease = this.options.routing.leaseAt(hostname);
    const isServed = lease !== undefined && (clientHello !== undefined || lease.tcpPort !== undefined);
    const visitor = { socket, addresses, ...(clientHello ? { clientHello } : {}), onReset: () => this.#reset(socket) };
    if (isServed && (await this.options.forwarder.forward(visitor, lease)) === true) return;
    if (socket.destroyed) return;
    socket.end(Buffer.from([nodeAnswer.noSession]), () => socket.destroySoon());
    socket.resume();
    socket.setTimeout(1_000, () => socket.destroy());
  }

  /** Ends the connection by a reset, so that the other node can tell it from a regular end. */
  #reset(socket: TLSSocket): void {
    this.#open.get(endsOf(socket))?.socket.resetAndDestroy();
    socket.destroy();
  }
}

const endsOf = ({ remoteAddress, remotePort }: Socket) => `${remoteAddress} ${remotePort}`;

/** @returns undefined when the other side does not speak the protocol; else what comes after the header is put back */
async function readArrival(socket: TLSSocket): Promise<(NodeVisitor & { clientHello?: Buffer }) | undefined> {
  let bytes: Buffer = Buffer.alloc(0);
  let visitor: ReturnType<typeof parseNodeVisitor>;
  const reader = new ClientHelloReader(maxClientHelloBytes);
  const take = (chunk: Buffer) => {
    let rest = chunk;
    if (!visitor) {
      bytes = Buffer.concat([bytes, chunk]);
      visitor = parseNodeVisitor(bytes);
      if (!visitor) return undefined;
      rest = bytes.subarray(visitor.length);
    }
    if (visitor.isRaw) return { rest };
    const hello = rest.length > 0 ? reader.push(rest) : undefined;
    return hello && { rest: reader.buffered(), hello: hello.raw };
  };
  try {
    const { rest, hello } = await readPrefix<{ rest: Buffer; hello?: Buffer }>(socket, take, {
      timeoutMs: headerTimeoutMs,
    });
    if (rest.length > 0) socket.unshift(rest);
    return { ...visitor!, ...(hello ? { clientHello: hello } : {}) };
  } catch (error) {
    if (error instanceof NoPrefixError || error instanceof ProxyProtocolError || error instanceof TlsAlertError)
      return undefined;
    throw error;
  }
}
