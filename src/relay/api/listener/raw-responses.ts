import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ApiError, failure, helpLink } from '../../../contract/index.js';

/** Time and bytes that a refused peer may still send before its connection is destroyed. */
const lingerAfterRefusalMs = 2_000;
const maxBytesAfterRefusal = 1_048_576;

/** An error envelope as a complete HTTP response, for connections without an HTTP server. */
export function errorResponse(error: ApiError): string {
  const body = JSON.stringify(failure(error));
  const head = [
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}`,
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...(error.retryAfterSeconds === undefined ? [] : [`Retry-After: ${error.retryAfterSeconds}`]),
    `Link: ${helpLink(error.code)}`,
    'Connection: close',
  ];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}

/** Sends the error and closes the connection; a peer that does not read is given a short time. */
export function refuseWith(socket: Duplex, error: ApiError): void {
  closeSoon(socket, errorResponse(error));
}

/**
 * Ends a connection, which nobody else reads from here on: Node's HTTP server would go on parsing what comes, and throws when a
 * connection that it has paused is read. What the peer still sends is read for a moment, or it might lose our last words (RFC 9112 9.6); then,
 * or when that is much, the connection is destroyed.
 */
export function closeSoon(socket: Duplex, lastWords = ''): void {
  socket.on('error', () => socket.destroy());
  const timer = setTimeout(() => socket.destroy(), lingerAfterRefusalMs);
  socket.once('close', () => clearTimeout(timer));
  socket.removeAllListeners('data');
  let left = maxBytesAfterRefusal;
  // boundary: only counts and cannot throw.
  socket.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) socket.destroy();
  });
  socket.end(lastWords);
  socket.resume();
}
