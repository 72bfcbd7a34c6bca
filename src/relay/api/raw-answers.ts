import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ApiError, failure } from '../../contract/index.js';

/** An error envelope as a whole HTTP response, for connections that no HTTP server serves. */
export function errorResponse(error: ApiError): string {
  const body = JSON.stringify(failure(error));
  const head = [
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}`,
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...(error.retryAfterSeconds === undefined ? [] : [`Retry-After: ${error.retryAfterSeconds}`]),
    'Connection: close',
  ];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}

/** Answers with the error and closes, without waiting long for a peer that does not read. */
export function refuseWith(socket: Duplex, error: ApiError): void {
  closeSoon(socket, errorResponse(error));
}

/** Ends a connection, and destroys it when the peer does not read or end its own side soon. */
export function closeSoon(socket: Duplex, lastWords = ''): void {
  socket.on('error', () => socket.destroy());
  const timer = setTimeout(() => socket.destroy(), 2_000);
  socket.once('close', () => clearTimeout(timer));
  socket.end(lastWords);
  socket.resume();
}
