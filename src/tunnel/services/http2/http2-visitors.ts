import { randomBytes } from 'node:crypto';
import {
  Agent,
  type ClientRequest,
  type IncomingMessage,
  type RequestOptions,
  request as httpRequest,
} from 'node:http';
import {
  constants,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { type Duplex, duplexPair } from 'node:stream';
import { guard } from '../../../util/boundary.js';
import { ConcurrencyLimiter } from '../../../util/concurrency-limiter.js';
import { httpIdleTimeoutMs } from '../http/exchange.js';
import { maxHeadBytes } from '../http/message/message-head.js';
import type { ServedOutcome } from '../local-service.js';
import { connectionFields, endToEndFields } from './connection-fields.js';

/** Open requests of one connection, as its settings say. */
const maxStreams = 100;
/** Open requests of one source address, and in all: each may have its window of a body waiting. */
const maxStreamsPerSource = 256;
const maxStreamsInAll = 2_048;
const streamWindowBytes = 262_144;
/** The streams' windows are what holds visitors back. */
const connectionWindowBytes = 4 * streamWindowBytes;
const maxFields = 1_000;
/** Idle connections to the forwarder that are kept for the next request. */
const maxFreePipes = 16;

const { NGHTTP2_CANCEL, NGHTTP2_INTERNAL_ERROR, NGHTTP2_REFUSED_STREAM } = constants;

/** One visitor's HTTP/2 connection. */
interface Visit {
  /** Address, or '' where it is unknown. */
  readonly source: string;
  readonly agent: Agent;
}

/**
 * Visitors that speak HTTP/2 (RFC 9113). Each request is forwarded as one of HTTP/1.1, in a pipe within this process, so
 * that whatever checks, changes and watches requests is the same for both. WebSockets come by extended CONNECT (RFC 8441).
 */
export class Http2Visitors {
  readonly #server: Http2Server;
  readonly #visits = new WeakMap<ServerHttp2Session, Visit>();
  /** Whose connection is being taken over. */
  #arriving: Visit | undefined;
  readonly #bySource = new ConcurrencyLimiter(maxStreamsPerSource);
  #streams = 0;

  constructor() {
    this.#server = createServer({
      settings: {
        enableConnectProtocol: true,
        maxConcurrentStreams: maxStreams,
        maxHeaderListSize: maxHeadBytes,
        initialWindowSize: streamWindowBytes,
      },
      maxHeaderListPairs: maxFields,
    });
    this.#server.on(
      'session',
      guard(
        'visitor request',
        (session: ServerHttp2Session) => this.#begin(session),
        (session) => session.destroy(),
      ),
    );
    this.#server.on(
      'stream',
      guard(
        'visitor request',
        (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => this.#serve(stream, headers),
        (stream) => stream.close(NGHTTP2_INTERNAL_ERROR),
      ),
    );
    // Errors of one session, which ends with it.
    this.#server.on('sessionError', () => undefined);
  }

  /**
   * Serves a visitor until the connection closes. Never rejects.
   * @param forward serves requests of HTTP/1.1 on a stream
   */
  async serve(
    visitor: Duplex,
    source: string | undefined,
    forward: (pipe: Duplex) => Promise<ServedOutcome>,
  ): Promise<ServedOutcome> {
    const outcome: ServedOutcome = { received: 0, sent: 0 };
    const pipes = new Set<Promise<void>>();
    const agent = new PipeAgent(() => {
      const [ours, theirs] = joinedPair();
      const served = forward(theirs)
        .then((each) => {
          outcome.received += each.received;
          outcome.sent += each.sent;
          outcome.error ??= each.error;
          if (each.unavailable) outcome.unavailable = true;
          if (each.refused) outcome.refused = true;
        })
        // The tunnel closes.
        .catch(() => void theirs.destroy())
        .finally(() => pipes.delete(served));
      pipes.add(served);
      // Node calls it when it uses a socket again.
      return Object.assign(ours, { ref: () => ours });
    });
    visitor.on('error', (error) => (outcome.error ??= error));
    // boundary: cannot throw.
    const closed = new Promise<void>((resolve) => visitor.once('close', resolve));
    if (visitor.destroyed) return outcome;
    this.#arriving = { source: source ?? '', agent };
    try {
      // Its session begins within this call.
      this.#server.emit('connection', visitor);
    } catch (error) {
      visitor.destroy(error as Error);
    } finally {
      this.#arriving = undefined;
    }
    await closed;
    agent.destroy();
    await Promise.all(pipes);
    return outcome;
  }

  #begin(session: ServerHttp2Session): void {
    if (!this.#arriving) throw new Error('a session of nobody');
    this.#visits.set(session, this.#arriving);
    session.setLocalWindowSize(connectionWindowBytes);
    let streams = 0;
    // boundary: cannot throw.
    session.on('stream', (stream) => {
      streams++;
      // boundary: cannot throw.
      stream.once('close', () => streams--);
    });
    // boundary: cannot throw. Without requests, and without a byte.
    session.setTimeout(httpIdleTimeoutMs, () => {
      if (streams === 0) session.close();
    });
    session.on('error', () => undefined);
  }

  #serve(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    stream.on('error', () => undefined);
    const visit = stream.session && this.#visits.get(stream.session as ServerHttp2Session);
    if (!visit || this.#streams >= maxStreamsInAll || !this.#bySource.add(visit.source))
      return void stream.close(NGHTTP2_REFUSED_STREAM);
    this.#streams++;
    // boundary: cannot throw.
    stream.once('close', () => {
      this.#streams--;
      this.#bySource.remove(visit.source);
    });
    const fault = faultOf(headers);
    if (fault !== undefined) return refuse(stream, fault);
    const isWebSocket = headers[':method'] === 'CONNECT';
    const options: RequestOptions & { setDefaultHeaders: boolean } = {
      agent: visit.agent,
      method: isWebSocket ? 'GET' : headers[':method'],
      path: headers[':path'],
      headers: requestHeaders(headers, { isWebSocket, hasBody: !stream.endAfterHeaders }),
      setHost: false,
      setDefaultHeaders: false,
      maxHeaderSize: 2 * maxHeadBytes,
    };
    let request: ClientRequest;
    try {
      request = httpRequest(options);
    } catch (error) {
      // A path or a field that HTTP/1.1 has no form for.
      if (!(error instanceof TypeError)) throw error;
      return refuse(stream, 'it cannot be written as a request of HTTP/1.1');
    }
    exchange(stream, request, isWebSocket);
  }
}

/** Keeps pipes for the next request, as Node does with sockets. */
class PipeAgent extends Agent {
  constructor(override readonly createConnection: () => Duplex) {
    super({ keepAlive: true, maxFreeSockets: maxFreePipes });
  }

  /** A pipe has no options of TCP to be set, unlike what Node expects here. */
  override keepSocketAlive(): boolean {
    return true;
  }
}

/** Two ends of a pipe; when one is destroyed, so is the other. */
function joinedPair(): [Duplex, Duplex] {
  const [ours, theirs] = duplexPair();
  for (const [one, other] of [
    [ours, theirs],
    [theirs, ours],
  ] as const) {
    // boundary: cannot throw.
    one.once('close', () => other.destroy());
    one.on('error', () => undefined);
  }
  return [ours, theirs];
}

/** Why a request cannot be forwarded. What is malformed by RFC 9113 8.1.1 was refused by Node. */
function faultOf(headers: IncomingHttpHeaders): string | undefined {
  const { ':method': method, ':protocol': protocol, ':path': path, ':authority': authority, host } = headers;
  if (path === undefined || (!path.startsWith('/') && path !== '*')) return 'its target is no path';
  if (method === 'CONNECT' && protocol !== 'websocket') return 'it asks for a tunnel';
  if (authority !== undefined && host !== undefined && authority.toLowerCase() !== host.toLowerCase())
    return 'it names two hosts';
  return undefined;
}

function refuse(stream: ServerHttp2Stream, fault: string): void {
  if (stream.destroyed || stream.closed) return;
  const body = `This request is refused: ${fault}.\n`;
  stream.respond({ ':status': 400, 'content-type': 'text/plain; charset=utf-8', 'content-length': body.length });
  stream.end(body);
}

function requestHeaders(
  headers: IncomingHttpHeaders,
  { isWebSocket, hasBody }: { isWebSocket: boolean; hasBody: boolean },
): Record<string, string | string[]> {
  const fields: [string, string | string[]][] = [['host', headers[':authority'] ?? headers.host ?? '']];
  for (const [name, value] of Object.entries(headers))
    if (!name.startsWith(':') && !connectionFields.has(name) && value !== undefined) fields.push([name, value]);
  if (isWebSocket) {
    const key = randomBytes(16).toString('base64');
    fields.push(['connection', 'Upgrade'], ['upgrade', 'websocket'], ['sec-websocket-key', key]);
  } else if (hasBody && headers['content-length'] === undefined) fields.push(['transfer-encoding', 'chunked']);
  return Object.fromEntries(fields);
}

function exchange(stream: ServerHttp2Stream, request: ClientRequest, isWebSocket: boolean): void {
  const fail = () => {
    request.destroy();
    if (!stream.closed) stream.close(NGHTTP2_INTERNAL_ERROR);
  };
  request.on('error', fail);
  // boundary: cannot throw. The visitor has left, or the response is complete.
  stream.once('close', () => {
    const isWhole = stream.rstCode === constants.NGHTTP2_NO_ERROR && stream.writableFinished;
    // A response may end before its request has: the rest does not come any more.
    if (!isWhole || !request.writableEnded) request.destroy();
  });
  request.on(
    'information',
    guard(
      'visitor request',
      ({ statusCode, rawHeaders }: { statusCode: number; rawHeaders: string[] }) => {
        if (!stream.headersSent && !stream.closed)
          stream.additionalHeaders({ ':status': statusCode, ...fieldsOf(rawHeaders) });
      },
      fail,
    ),
  );
  request.on(
    'response',
    guard('visitor request', (response: IncomingMessage) => respond(stream, request, response, fail), fail),
  );
  request.on(
    'upgrade',
    guard(
      'visitor request',
      (response: IncomingMessage, socket: Duplex, first: Buffer) => {
        if (stream.closed) return void socket.destroy();
        const fields = fieldsOf(response.rawHeaders);
        delete fields['sec-websocket-accept'];
        stream.respond({ ':status': 200, ...fields });
        if (first.length > 0) socket.unshift(first);
        // boundary: cannot throw.
        socket.once('error', fail).once('close', () => {
          if (!stream.closed && !stream.writableEnded) stream.close(NGHTTP2_CANCEL);
        });
        // boundary: cannot throw.
        stream.once('close', () => socket.destroy());
        stream.pipe(socket).pipe(stream);
      },
      fail,
    ),
  );
  if (isWebSocket || stream.endAfterHeaders) return void request.end();
  // Otherwise Node keeps it for the first byte of the body, which may be one that waits for an answer.
  request.flushHeaders();
  let trailers: IncomingHttpHeaders = {};
  // boundary: cannot throw.
  stream.on('trailers', (fields: IncomingHttpHeaders) => (trailers = fields));
  stream.on(
    'end',
    guard(
      'visitor request',
      () => {
        if (stream.rstCode !== constants.NGHTTP2_NO_ERROR || stream.aborted) return fail();
        const fields = endToEndFields(trailers);
        if (fields.length > 0 && request.getHeader('transfer-encoding') !== undefined) request.addTrailers(fields);
        request.end();
      },
      fail,
    ),
  );
  stream.pipe(request, { end: false });
}

function respond(stream: ServerHttp2Stream, request: ClientRequest, response: IncomingMessage, fail: () => void): void {
  if (stream.closed || stream.destroyed) return void request.destroy();
  const status = response.statusCode ?? 502;
  const isEmpty =
    request.method === 'HEAD' || status === 204 || status === 304 || response.headers['content-length'] === '0';
  const hasTrailers = response.headers['transfer-encoding'] !== undefined;
  try {
    stream.respond(
      { ':status': status, ...fieldsOf(response.rawHeaders) },
      { endStream: isEmpty, waitForTrailers: hasTrailers && !isEmpty },
    );
  } catch (error) {
    if (!String((error as NodeJS.ErrnoException).code).startsWith('ERR_HTTP2_')) throw error;
    // A field that may come once only came twice, for instance.
    stream.respond({ ':status': 502, 'content-type': 'text/plain; charset=utf-8' });
    stream.end('The response of the service behind this name cannot be sent by HTTP/2.\n');
    return void request.destroy();
  }
  if (isEmpty) return void response.resume();
  stream.on(
    'wantTrailers',
    // Without any, Node ends the stream by an empty frame.
    guard('visitor request', () => stream.sendTrailers(fieldsOf(response.rawTrailers)), fail),
  );
  response.on('error', fail);
  // boundary: cannot throw. Cut in the middle.
  response.once('close', () => {
    if (!response.complete) fail();
  });
  response.pipe(stream);
}

/** End-to-end fields; those of the same name in a list. */
function fieldsOf(raw: string[]): OutgoingHttpHeaders {
  const fields = new Map<string, string[]>();
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at]!.toLowerCase();
    if (connectionFields.has(name)) continue;
    const values = fields.get(name) ?? [];
    values.push(raw[at + 1]!);
    fields.set(name, values);
  }
  return Object.fromEntries([...fields].map(([name, values]) => [name, values.length === 1 ? values[0] : values]));
}
