import { Agent, type ClientRequest, type IncomingMessage, request as httpRequest, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { background, guard } from '../../../util/boundary.js';
import {
  ambiguity,
  endToEnd,
  type Headers,
  leadsHere,
  type RequestFacts,
  requestHeaders,
  trailersOf,
} from './forwarded-headers.js';
import { splice, type SpliceOutcome } from '../upstream/splice-service.js';
import { hostOf } from '../upstream/target.js';
import { Upstream } from '../upstream/upstream.js';
import type { Place, Routes } from './routes.js';
import { answerWithPage, unavailablePage } from './error-pages.js';

/** Of a request or a response. */
export const maxHttpHeadBytes = 65_536;
/** From the end of one response, or the start of the connection, to the end of the next request head. */
export const httpIdleTimeoutMs = 75_000;

/** Why the bytes of a visitor were not taken for a request. */
export type Malformed = 'Bad Request' | 'Request Header Fields Too Large';
const malformedStatus: Record<Malformed, number> = { 'Bad Request': 400, 'Request Header Fields Too Large': 431 };

/** Most requests of one connection that wait for their answers: each takes memory before anything is written. */
const maxPipelined = 64;

/** Idempotent methods (RFC 9110 9.2.2) without a body. */
const repeatable = new Set(['GET', 'HEAD', 'OPTIONS']);

export interface HttpOptions {
  routes: Routes;
  /** Host header for services, in place of the visitor's; `rewrite` for each service's own address. */
  hostHeader?: string | undefined;
}

/**
 * One visitor's connection, and for each service the one upstream connection that its requests share. It is opened
 * for the first request, and again after the service has closed it.
 */
export class HttpConnection {
  /** Settles when the visitor's connection is closed. */
  readonly over: Promise<SpliceOutcome>;
  readonly #outcome: SpliceOutcome = { received: 0, sent: 0 };
  readonly #agents = new Map<Upstream, Agent>();
  /** Connect errors: the service is down, rather than faulty. */
  readonly #unreachable = new WeakSet<Error>();
  #exchanges = 0;
  /** The last unfinished response. */
  #answering: ServerResponse | undefined;
  #idle: NodeJS.Timeout | undefined;
  #joined: Promise<unknown> | undefined;
  /** Settles when the last answer from a folder is over. */
  #lastFile: Promise<void> | undefined;

  /** @param connect opens a connection to a service */
  constructor(
    private readonly visitor: Duplex,
    private readonly connect: (upstream: Upstream) => Promise<Socket>,
    private readonly facts: RequestFacts,
    private readonly options: HttpOptions,
  ) {
    visitor.on('error', (error) => (this.#outcome.error ??= error));
    this.over = new Promise((resolve) => {
      visitor.once('close', () => {
        clearTimeout(this.#idle);
        for (const agent of this.#agents.values()) agent.destroy();
        const over = () => setImmediate(() => resolve(this.#outcome));
        (this.#joined ?? Promise.resolve()).then(over, over);
      });
    });
    this.#awaitRequest();
  }

  /** Forwards a request, and its response. */
  forward(request: IncomingMessage, response: ServerResponse): void {
    this.#begin(response);
    if (this.#exchanges > maxPipelined) {
      request.resume();
      return answerPlainly(response, 503, 'Too many requests wait on this connection: send fewer at a time.\n');
    }
    if (this.#refusal(request, response, ambiguity(request))) return;
    const place = this.#placeOf(request, response);
    if (place) this.#pass(request, response, place);
  }

  /** The visitor's bytes are not valid HTTP, or too many for a request's head. */
  malformed(reason: Malformed): void {
    if (this.#exchanges > 0) this.visitor.destroy();
    else this.#refuse(reason);
  }

  #refuse(reason: Malformed): void {
    const answer = `HTTP/1.1 ${malformedStatus[reason]} ${reason}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`;
    if (this.visitor.writable) this.visitor.end(answer, () => this.visitor.destroy());
    else this.visitor.destroy();
  }

  /**
   * Forwards a WebSocket upgrade. No other protocol is allowed: inside it a visitor could forge headers that the
   * service trusts.
   */
  upgrade(request: IncomingMessage, head: Buffer): void {
    // Responses are sent in the order of their requests; a connection cannot switch protocols before they are sent.
    if (this.#answering) {
      this.#answering.once('close', () => this.#refuse('Bad Request'));
      return;
    }
    // Node has released the connection, so an ordinary response is its last.
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(this.visitor as Socket);
    response.once('finish', () => this.visitor.end(() => this.visitor.destroy()));
    this.visitor.once('close', () => response.destroy());
    this.#begin(response);
    const fault = ambiguity(request) ?? (hasBody(request) ? 'an upgrade with a body' : undefined);
    if (this.#refusal(request, response, fault)) return;
    const place = this.#placeOf(request, response);
    if (!place) return;
    const isWebSocket = request.headers.upgrade?.toLowerCase() === 'websocket';
    if (!isWebSocket || !(place.to instanceof Upstream)) return this.#pass(request, response, place);

    const headers = this.#headersFor(request, place, place.to);
    headers.set('connection', { name: 'Connection', values: ['Upgrade'] });
    headers.set('upgrade', { name: 'Upgrade', values: ['websocket'] });
    const upstream = this.#open(request, place, place.to, headers);
    const join = (answer: IncomingMessage, target: Duplex, rest: Buffer) => {
      if (this.visitor.destroyed || answer.headers.upgrade?.toLowerCase() !== 'websocket') {
        target.destroy();
        this.visitor.destroy();
        return;
      }
      response.detachSocket(this.visitor as Socket);
      target.removeAllListeners('end');
      this.visitor.write(switchingHead(answer), 'latin1');
      if (rest.length > 0) target.unshift(rest);
      if (head.length > 0) this.visitor.unshift(head);
      this.#joined = splice(this.visitor, target as Socket).then(({ error }) => (this.#outcome.error ??= error));
    };
    const cut = (_answer: IncomingMessage, target: Duplex) => {
      target.destroy();
      this.visitor.destroy();
    };
    upstream.once('upgrade', guard('service upgrade', join, cut));
    upstream.once('response', (answer) => this.#answer(request, response, answer));
    upstream.once('error', (error) => this.#fail(response, error));
    this.visitor.once('close', () => upstream.destroy());
    upstream.end();
  }

  /** Rejects a request that must not be forwarded. @returns whether it did */
  #refusal(request: IncomingMessage, response: ServerResponse, fault: string | undefined): boolean {
    if (fault !== undefined) answerPlainly(response, 400, `This request is refused: ${fault}.\n`);
    else if (!leadsHere(request, this.facts.hostname))
      answerPlainly(
        response,
        421,
        `This connection is for ${this.facts.hostname}, and the request names another host.\n`,
      );
    else return false;
    return true;
  }

  #placeOf({ url = '/' }: IncomingMessage, response: ServerResponse): Place | undefined {
    const place = this.options.routes.find(url);
    if (!place) answerPlainly(response, 404, 'Nothing is served at this path.\n');
    return place;
  }

  #pass(request: IncomingMessage, response: ServerResponse, place: Place): void {
    if (place.to instanceof Upstream) return this.#send(request, response, place, place.to, true);
    // A body is of no interest; without reading it the next request would not be seen.
    request.resume();
    // The visitor may send the body or not, and it could not be told from the next request.
    if (request.headers.expect !== undefined && !request.complete) response.shouldKeepAlive = false;
    const { to, url } = place;
    const before = this.#lastFile;
    this.#lastFile = new Promise((resolve) => {
      response.once('close', resolve);
    });
    background('visitor request', async () => {
      // One file is open at a time, however many requests are pipelined.
      await before;
      if (!response.destroyed) await to.serve(request, response, url);
    });
    response.once('finish', () => {
      if (request.method !== 'HEAD') this.#outcome.sent += Number(response.getHeader('content-length') ?? 0);
    });
  }

  #headersFor(request: IncomingMessage, { stripped }: Place, { target }: Upstream): Headers {
    const { hostHeader } = this.options;
    return requestHeaders(request, this.facts, {
      hostHeader: hostHeader === 'rewrite' ? hostOf(target) : hostHeader,
      prefix: stripped,
    });
  }

  #send(request: IncomingMessage, response: ServerResponse, place: Place, to: Upstream, mayRepeat: boolean): void {
    const upstream = this.#open(request, place, to, this.#headersFor(request, place, to));
    const speaks11 = request.httpVersion === '1.1';
    let continued = false;
    if (request.headers.expect !== undefined && speaks11) {
      upstream.once('continue', () => {
        continued = true;
        if (!response.headersSent) response.writeContinue();
      });
    }
    upstream.on('information', ({ statusCode, headers: { link } }) => {
      if (!speaks11 || response.headersSent) return;
      if (statusCode === 102) response.writeProcessing();
      if (statusCode === 103 && link !== undefined) earlyHints(response, link);
    });
    upstream.once('response', (answer) => {
      // The visitor may then send the body or not, and it could not be told from the next request.
      if (request.headers.expect !== undefined && !continued && !request.complete) response.shouldKeepAlive = false;
      this.#answer(request, response, answer);
    });
    upstream.once('error', (error: NodeJS.ErrnoException) => {
      request.unpipe(upstream);
      request.resume();
      // The service closed the connection while the request was being sent.
      const stale = upstream.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
      const canRepeat = mayRepeat && stale && !hasBody(request) && repeatable.has(request.method ?? '');
      if (canRepeat && !response.headersSent && !response.destroyed) this.#send(request, response, place, to, false);
      else this.#fail(response, error);
    });
    upstream.on('error', () => undefined);
    response.once('close', () => {
      if (!response.writableFinished) upstream.destroy();
    });
    if (!hasBody(request)) {
      upstream.end();
      return;
    }
    request.once('end', () => {
      const trailers = trailersOf(request);
      if (trailers.length > 0) upstream.addTrailers(trailers);
    });
    request.pipe(upstream);
  }

  #open(request: IncomingMessage, { url }: Place, to: Upstream, headers: Headers): ClientRequest {
    return httpRequest({
      agent: this.#agentOf(to),
      method: request.method,
      path: url,
      setHost: false,
      maxHeaderSize: maxHttpHeadBytes,
      headers: asObject(headers),
    });
  }

  #agentOf(upstream: Upstream): Agent {
    const held = this.#agents.get(upstream);
    if (held) return held;
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    type Created = (error: Error | null, socket?: Socket) => void;
    Object.assign(agent, {
      createConnection: (_options: unknown, created: Created) => {
        this.connect(upstream).then(
          (socket) => created(null, this.#counted(socket)),
          (error: Error) => {
            this.#unreachable.add(error);
            created(error);
          },
        );
      },
    });
    this.#agents.set(upstream, agent);
    return agent;
  }

  #answer(request: IncomingMessage, response: ServerResponse, answer: IncomingMessage): void {
    answer.once('error', (error) => this.#fail(response, error));
    // The visitor has left: a write would be an error that nobody handles.
    if (response.destroyed) return void answer.destroy();
    const headers = endToEnd(answer);
    const chunked = request.httpVersion === '1.1' && 'transfer-encoding' in answer.headers && request.method !== 'HEAD';
    if (!chunked) headers.delete('trailer');
    response.sendDate = false;
    try {
      response.writeHead(answer.statusCode as number, answer.statusMessage, asObject(headers));
    } catch (error) {
      answer.destroy();
      this.#fail(response, error as Error);
      return;
    }
    // A long pause may come before the body. `flushHeaders` would encode the bytes of headers as UTF-8 once more.
    response.write('', 'latin1');
    answer.once('end', () => {
      const trailers = trailersOf(answer);
      if (chunked && trailers.length > 0) response.addTrailers(trailers);
    });
    answer.pipe(response);
  }

  /**
   * Reports to the visitor that the service failed: with an error response, or by truncating the one that has begun.
   */
  #fail(response: ServerResponse, error: Error): void {
    if (response.destroyed || response.writableFinished) return;
    this.#outcome.error ??= error;
    if (response.headersSent) response.destroy();
    else if (this.#unreachable.has(error)) answerWithPage(response, unavailablePage);
    else answerPlainly(response, 502, 'The service behind this name broke off, or did not answer in HTTP.\n');
  }

  #begin(response: ServerResponse): void {
    this.#exchanges++;
    this.#answering = response;
    clearTimeout(this.#idle);
    response.once('close', () => {
      if (this.#answering === response) this.#answering = undefined;
      if (--this.#exchanges === 0 && !this.visitor.destroyed && this.#joined === undefined) this.#awaitRequest();
    });
  }

  /** Connections that are idle, or never finish a request head, are closed. */
  #awaitRequest(): void {
    this.#idle = setTimeout(() => this.visitor.end(() => this.visitor.destroy()), httpIdleTimeoutMs);
  }

  #counted(socket: Socket): Socket {
    // An idle upstream connection that the service has closed cannot be used again.
    socket.once('end', () => socket.end());
    socket.once('close', () => {
      this.#outcome.received += socket.bytesWritten;
      this.#outcome.sent += socket.bytesRead;
    });
    return socket;
  }
}

function hasBody({ headers }: IncomingMessage): boolean {
  return 'transfer-encoding' in headers || Number(headers['content-length'] ?? 0) > 0;
}

function asObject(headers: Headers): Record<string, string | string[]> {
  return Object.fromEntries(
    [...headers.values()].map(({ name, values }) => [name, values.length === 1 ? (values[0] as string) : values]),
  );
}

function answerPlainly(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, {
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': Buffer.byteLength(text),
    'Cache-Control': 'no-store',
    Connection: 'close',
  });
  response.end(text);
}

/** The 101 response of the service. Node has parsed it: no value contains a line break. */
function switchingHead({ statusMessage, rawHeaders }: IncomingMessage): string {
  let head = `HTTP/1.1 101 ${statusMessage}\r\n`;
  for (let at = 0; at < rawHeaders.length; at += 2) head += `${rawHeaders[at]}: ${rawHeaders[at + 1]}\r\n`;
  return `${head}\r\n`;
}

function earlyHints(response: ServerResponse, link: string | string[]): void {
  try {
    response.writeEarlyHints({ link });
  } catch {
    // Only hints, in a form that Node does not accept.
  }
}
