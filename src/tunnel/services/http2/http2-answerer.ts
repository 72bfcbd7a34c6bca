import { createHash } from 'node:crypto';
import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import { type ClientHttp2Stream, constants, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http2';
import type { Duplex } from 'node:stream';
import { guard } from '../../../util/boundary.js';
import { InProcessServer } from '../http/in-process-server.js';
import type { Answerer } from '../http/routes.js';
import { connectionFields, endToEndFields } from './connection-fields.js';
import type { Http2Upstream } from './http2-upstream.js';

/** For the service to end a WebSocket that its visitor has closed. */
const closeTimeoutMs = 1_000;
/** Of RFC 6455 1.3. */
const acceptGuid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/**
 * Sends requests to a service that speaks HTTP/2, and makes HTTP/1.1 of its responses. WebSockets go by extended CONNECT
 * (RFC 8441), where the service offers that.
 */
export class Http2Answerer implements Answerer {
  readonly switchesProtocols = true;
  readonly #server = new InProcessServer(
    (request, response) => this.#serve(request, response),
    (request, connection) => this.#upgrade(request, connection),
  );

  constructor(readonly upstream: Http2Upstream) {}

  /** @see Answerer */
  get origin(): Answerer['origin'] {
    return this.upstream.origin;
  }

  /** @see Answerer */
  async connect(): Promise<Duplex> {
    await this.upstream.open();
    return this.#server.connect();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.sendDate = false;
    response.strictContentLength = true;
    const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
    let stream: ClientHttp2Stream;
    try {
      const endStream = encoding === undefined && (length === undefined || length === '0');
      stream = await this.upstream.request(requestHeaders(request, this.origin.scheme), { endStream });
    } catch (error) {
      // A field that may come once only came twice, for instance.
      if (!String((error as NodeJS.ErrnoException).code).startsWith('ERR_HTTP2_')) throw error;
      response.writeHead(400).end('This request cannot be sent by HTTP/2.\n');
      return;
    }
    exchange(request, response, stream);
  }

  async #upgrade(request: IncomingMessage, connection: Duplex): Promise<void> {
    connection.on('error', () => undefined);
    if (!(await this.upstream.takesExtendedConnect())) {
      const text = 'The service behind this name takes no WebSockets by HTTP/2 (RFC 8441).\n';
      const fields: [string, string][] = [
        ['Content-Type', 'text/plain; charset=utf-8'],
        ['Content-Length', String(text.length)],
        ['Connection', 'close'],
      ];
      connection.end(plainResponse(501, fields, text));
      return;
    }
    const { 'sec-websocket-key': key = '', ...headers } = requestHeaders(request, this.origin.scheme);
    const stream = await this.upstream.request(
      { ...headers, ':method': 'CONNECT', ':protocol': 'websocket' },
      { endStream: false },
    );
    const cut = () => connection.destroy();
    stream.on('error', cut);
    // boundary: cannot throw. A reset may come without an error.
    stream.once('close', () => {
      if (!connection.writableEnded) cut();
    });
    // boundary: cannot throw. The visitor has left.
    connection.once('close', () => {
      if (!stream.closed) stream.close(constants.NGHTTP2_CANCEL);
    });
    if (connection.closed) stream.close(constants.NGHTTP2_CANCEL);
    stream.once(
      'response',
      guard('visitor request', (answer: IncomingHttpHeaders) => switched(stream, connection, answer, String(key)), cut),
    );
  }
}

/** The response to an extended CONNECT, which for HTTP/1.1 is a switch of protocols or a refusal. */
function switched(stream: ClientHttp2Stream, connection: Duplex, answer: IncomingHttpHeaders, key: string): void {
  const status = Number(answer[':status']);
  const fields = endToEndFields(answer);
  if (status === 200) {
    const accept = createHash('sha1')
      .update(key + acceptGuid)
      .digest('base64');
    fields.push(['Connection', 'Upgrade'], ['Upgrade', 'websocket'], ['Sec-WebSocket-Accept', accept]);
    connection.write(plainResponse(101, fields), 'latin1');
    stream.pipe(connection).pipe(stream);
    // boundary: cannot throw. The visitor has closed the WebSocket, and not every service ends its side of the stream.
    connection.once('end', () => {
      const timer = setTimeout(() => stream.close(constants.NGHTTP2_CANCEL), closeTimeoutMs);
      stream.once('close', () => clearTimeout(timer));
    });
    return;
  }
  fields.push(['Connection', 'close']);
  connection.write(plainResponse(status, fields), 'latin1');
  connection.resume();
  stream.end();
  stream.pipe(connection);
}

function plainResponse(status: number, fields: [string, string][], body = ''): string {
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines}\r\n${body}`;
}

function exchange(request: IncomingMessage, response: ServerResponse, stream: ClientHttp2Stream): void {
  let trailers: IncomingHttpHeaders = {};
  const cut = () => response.destroy();
  stream.on(
    'response',
    guard(
      'visitor request',
      (headers: IncomingHttpHeaders, flags: number) => {
        const fields = endToEndFields(headers);
        // Without a body there are no trailers: gRPC tells a response of trailers alone by that.
        if (
          (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0 &&
          headers['content-length'] === undefined &&
          mayHaveBody(request, headers)
        )
          fields.push(['content-length', '0']);
        response.writeHead(Number(headers[':status']), fields);
      },
      cut,
    ),
  );
  stream.on(
    'continue',
    guard('visitor request', () => response.writeContinue(), cut),
  );
  // boundary: cannot throw.
  stream.on('trailers', (fields: IncomingHttpHeaders) => (trailers = fields));
  stream.on(
    'end',
    guard(
      'visitor request',
      () => {
        // A reset ends the stream, too.
        if (!response.headersSent || stream.rstCode !== constants.NGHTTP2_NO_ERROR) {
          cut();
          return;
        }
        if (response.chunkedEncoding) response.addTrailers(endToEndFields(trailers));
        response.end();
      },
      cut,
    ),
  );
  stream.on('error', cut);
  // boundary: cannot throw. A reset may come without an error.
  stream.once('close', () => {
    if (!response.writableEnded) cut();
    // The rest of a body that the service does not want.
    request.unpipe(stream).resume();
  });
  // boundary: cannot throw. The visitor has left.
  response.once('close', () => {
    if (!stream.closed) stream.close(constants.NGHTTP2_CANCEL);
  });
  request.on('error', () => undefined);
  if (response.closed) stream.close(constants.NGHTTP2_CANCEL);
  stream.pipe(response, { end: false });
  request.pipe(stream);
}

/** Whether a response could have one, by method and status. */
function mayHaveBody({ method }: IncomingMessage, { ':status': status }: IncomingHttpHeaders): boolean {
  return method !== 'HEAD' && ![204, 205, 304].includes(Number(status));
}

function requestHeaders({ method, url, rawHeaders, headers }: IncomingMessage, scheme: string): OutgoingHttpHeaders {
  const fields: Record<string, string | string[]> = {};
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const [name, value] = [rawHeaders[index]!.toLowerCase(), rawHeaders[index + 1]!];
    if (connectionFields.has(name) || name === 'te') continue;
    const earlier = Object.hasOwn(fields, name) ? fields[name] : undefined;
    fields[name] = earlier === undefined ? value : [earlier, value].flat();
  }
  return {
    ...fields,
    // Of each hop: trailers are forwarded.
    te: 'trailers',
    ':method': method,
    ':path': url,
    ':scheme': scheme,
    ':authority': headers.host,
  };
}
