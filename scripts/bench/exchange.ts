import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Content } from './content.js';

/**
 * What a visitor asks of the service: one byte for the kind, 8 for a length (big endian), then
 * - `download`: the service sends that many bytes of the content and ends;
 * - `upload`: the visitor sends them and ends, the service answers with their SHA-256;
 * - `echo`: the service sends back what comes.
 * A slow one has the side that receives read little by little.
 */
export const kinds = { download: 0x44, upload: 0x55, slowUpload: 0x75, echo: 0x45 } as const;
export type Kind = keyof typeof kinds;

export const headBytes = 9;
/** A slow reader takes this much, then waits. */
const slowReadBytes = 65_536;
const slowPauseMs = 5;

export function requestHead(kind: Kind, length: number): Buffer {
  const head = Buffer.alloc(headBytes);
  head.writeUInt8(kinds[kind]);
  head.writeBigUInt64BE(BigInt(length), 1);
  return head;
}

export async function send(stream: Duplex, content: Content, length: number): Promise<void> {
  for (const piece of content.pieces(length)) if (!stream.write(piece)) await once(stream, 'drain');
}

/** Reads to the end. @returns length and SHA-256 of every byte */
export async function receive(stream: Duplex, slow = false): Promise<{ length: number; hash: string }> {
  const hash = createHash('sha256');
  let length = 0;
  let sincePause = 0;
  await new Promise<void>((resolve, reject) => {
    stream.on('data', (chunk: Buffer) => {
      hash.update(chunk);
      length += chunk.length;
      sincePause += chunk.length;
      if (!slow || sincePause < slowReadBytes) return;
      sincePause = 0;
      stream.pause();
      void sleep(slowPauseMs).then(() => stream.resume());
    });
    stream.once('end', resolve).once('error', reject);
    stream.once('close', () => reject(new Error('the connection was cut')));
  });
  return { length, hash: hash.digest('hex') };
}
