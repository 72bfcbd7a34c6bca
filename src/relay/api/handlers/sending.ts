import { Readable, pipeline } from 'node:stream';
import type { Request, Response } from 'express';

export const shortLived = 'public, max-age=300';
export const immutable = 'public, max-age=31536000, immutable';

const pieceBytes = 16_384;

/**
 * Written in pieces, each after the one before has been sent: a slow reader makes the relay hold one piece, not the
 * whole.
 */
export function send(request: Request, response: Response, body: Buffer, caching: string): void {
  response.set({
    'Cache-Control': caching,
    'X-Content-Type-Options': 'nosniff',
    'Content-Length': String(body.length),
  });
  if (request.method === 'HEAD') return void response.end();
  // A client that disconnects early is not an error.
  pipeline(Readable.from(pieces(body)), response, () => undefined);
}

function* pieces(body: Buffer): Generator<Buffer> {
  for (let at = 0; at < body.length; at += pieceBytes) yield body.subarray(at, at + pieceBytes);
}
