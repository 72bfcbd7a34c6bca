import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type SecureContext, createSecureContext, createServer as createTlsServer } from 'node:tls';
import { guard } from '../../util/boundary.js';
import { ConcurrencyLimiter } from '../../util/concurrency-limiter.js';
import type { Certificate } from '../certs/certificate.js';
import { html } from '../landing/html.js';

/** Deadline of a connection, from its ClientHello to its end. */
const connectionTimeoutMs = 10_000;
const maxHeadBytes = 16_384;
/** Connections at once, by source and in all: each costs a handshake. */
const maxOpenPerSource = 16;
const maxOpen = 1_024;
const retryAfterSeconds = 30;

/**
 * Answers visitors of names under the root host that nobody serves, as the relay itself: with its own certificate, and
 * whatever they ask for. Their request is read to its end, and not looked at.
 */
export class OfflinePage {
  readonly #bySource = new ConcurrencyLimiter(maxOpenPerSource);
  readonly #tls;
  #open = 0;
  #context: { of: Certificate; context: SecureContext } | undefined;

  constructor(
    private readonly rootHost: string,
    private readonly certificate: () => Certificate,
  ) {
    const answer = guard(
      'offline page',
      (_request: IncomingMessage, response: ServerResponse) => this.#answer(response),
      ({ socket }) => socket.destroy(),
    );
    const http = createHttpServer({ maxHeaderSize: maxHeadBytes, requireHostHeader: false }, answer);
    http.on('checkContinue', answer).on('checkExpectation', answer);
    // boundary: cannot throw.
    http.on('clientError', (_error, socket) => socket.destroy());
    this.#tls = createTlsServer({
      // A client without a server name does not come here.
      SNICallback: (_name, callback) => callback(null, this.#current()),
      ALPNProtocols: ['http/1.1'],
      minVersion: 'TLSv1.2',
      handshakeTimeout: connectionTimeoutMs,
    });
    // boundary: cannot throw.
    this.#tls.on('secureConnection', (socket) => http.emit('connection', socket));
    this.#tls.on('tlsClientError', (_error, socket) => socket.destroy());
  }

  /** Whether the relay may speak for a name: its certificate covers one label below the root host. */
  covers(hostname: string): boolean {
    const label = hostname.slice(0, -this.rootHost.length - 1);
    return hostname.endsWith(`.${this.rootHost}`) && label !== '' && !label.includes('.');
  }

  /**
   * Takes over a connection, starting at its ClientHello.
   * @returns false when too many are open: the connection is still the caller's
   */
  serve(socket: Socket, source: string): boolean {
    if (this.#open >= maxOpen || !this.#bySource.add(source)) return false;
    this.#open++;
    const timer = setTimeout(() => socket.destroy(), connectionTimeoutMs);
    socket.on('error', () => undefined);
    // boundary: cannot throw.
    socket.once('close', () => {
      this.#open--;
      this.#bySource.remove(source);
      clearTimeout(timer);
    });
    this.#tls.emit('connection', socket);
    return true;
  }

  #current(): SecureContext {
    const certificate = this.certificate();
    if (this.#context?.of !== certificate) {
      const { chainPem: cert, keyPem: key } = certificate;
      this.#context = { of: certificate, context: createSecureContext({ cert, key }) };
    }
    return this.#context.context;
  }

  #answer(response: ServerResponse): void {
    response.shouldKeepAlive = false;
    const page = html`<!doctype html>
      <html lang="en">
        <head>
          <meta charset="utf-8" />
          <meta name="viewport" content="width=device-width" />
          <meta name="robots" content="noindex" />
          <title>Nothing is served here now</title>
        </head>
        <body>
          <h1>Nothing is served here now</h1>
          <p>
            This name leads to the relay ${this.rootHost}, and no service is connected under it. If it is yours, start
            your tunnel; if not, try again later.
          </p>
        </body>
      </html>`;
    const body = Buffer.from(page.text);
    response.writeHead(503, {
      'Content-Type': 'text/html; charset=utf-8',
      'Content-Length': body.length,
      'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
      'X-Content-Type-Options': 'nosniff',
      'Cache-Control': 'no-store',
      'Retry-After': retryAfterSeconds,
    });
    response.end(body);
  }
}
