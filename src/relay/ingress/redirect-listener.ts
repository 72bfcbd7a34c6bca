import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server as HttpServer,
  type ServerResponse,
} from 'node:http';
import { type Server, type Socket, createServer } from 'node:net';
import { guard } from '../../util/boundary.js';
import type { PublicConnections } from './public-connections.js';
import { publicTcpOptions } from './public-connections.js';

/** Deadline of a connection, from its start to its end. */
const connectionTimeoutMs = 10_000;
const maxHeadBytes = 16_384;
/** Connections at once: each is short. */
const maxOpen = 4_096;

export interface RedirectOptions {
  /** The root host, names under it and these are led to https. */
  rootHost: string;
  apiHosts: ReadonlySet<string>;
  /** Port in the URLs; undefined for the standard one. */
  publicPort(): number | undefined;
}

/** Port 80: leads every request for a name of this relay to the same place by https, and answers nothing else. */
export class RedirectListener {
  readonly server: Server;
  readonly #http: HttpServer;
  #open = 0;

  constructor(
    private readonly options: RedirectOptions,
    private readonly connections: PublicConnections,
  ) {
    this.server = createServer(
      publicTcpOptions,
      guard(
        'redirect connection',
        (socket: Socket) => this.#serve(socket),
        (socket) => socket.destroy(),
      ),
    );
    // For example EMFILE, which is temporary.
    this.server.on('error', () => {});
    const answer = guard(
      'redirect request',
      (request: IncomingMessage, response: ServerResponse) => this.#answer(request, response),
      ({ socket }) => socket.destroy(),
    );
    this.#http = createHttpServer({ maxHeaderSize: maxHeadBytes }, answer);
    this.#http.on('checkContinue', answer).on('checkExpectation', answer);
    // boundary: cannot throw.
    this.#http.on('clientError', (_error, socket) => socket.destroy());
  }

  /** Stops listening. Settles when its connections are closed too, which their owner does. */
  async stop(): Promise<void> {
    await new Promise((resolve) => this.server.close(resolve));
  }

  async #serve(socket: Socket): Promise<void> {
    if (this.#open >= maxOpen) return void socket.destroy();
    this.#open++;
    const timer = setTimeout(() => socket.destroy(), connectionTimeoutMs);
    socket.once('close', () => {
      this.#open--;
      clearTimeout(timer);
    });
    if (!(await this.connections.admit(socket))) return;
    this.#http.emit('connection', socket);
    // Reading a PROXY header has paused it.
    socket.resume();
  }

  #answer({ headers, url = '/' }: IncomingMessage, response: ServerResponse): void {
    response.shouldKeepAlive = false;
    const host = hostOf(headers.host);
    if (host === undefined || !this.#isOurs(host)) {
      response.writeHead(404, { 'Content-Type': 'text/plain; charset=utf-8' });
      response.end('This relay has no such name.\n');
      return;
    }
    const port = this.options.publicPort();
    const path = url.startsWith('/') ? url : '/';
    // 308 keeps the method and the body.
    response.writeHead(308, {
      Location: `https://${host}${port === undefined ? '' : `:${port}`}${path}`,
      'Content-Length': 0,
    });
    response.end();
  }

  #isOurs(host: string): boolean {
    const { rootHost, apiHosts } = this.options;
    return host === rootHost || host.endsWith(`.${rootHost}`) || apiHosts.has(host);
  }
}

/** @returns the name in lower case, without port and final dot; undefined for what is none */
function hostOf(header: string | undefined): string | undefined {
  const name = /^([a-z0-9._-]{1,253})(?::\d{1,5})?$/i.exec(header ?? '')?.[1];
  return name?.toLowerCase().replace(/\.$/, '');
}
