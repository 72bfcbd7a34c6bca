import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type Server, type Socket, connect, createServer } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TestContext } from 'node:test';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { certificateFiles } from './certificates.js';
import { listening } from './tunnel.js';

export const pairKinds = ['tcp', 'tls'] as const;
export type PairKind = (typeof pairKinds)[number];

/** Both ends of a connection whose directions end separately; the accepted one is paused. */
export interface SocketPair {
  accepted: Socket;
  client: Socket;
}

export async function socketPair(t: TestContext, kind: PairKind): Promise<SocketPair> {
  const options = { allowHalfOpen: true, noDelay: true };
  let server: Server;
  let dial: (port: number) => Socket;
  if (kind === 'tcp') {
    server = createServer({ ...options, pauseOnConnect: true });
    dial = (port) => connect({ host: '127.0.0.1', port, ...options });
  } else {
    const certificate = await certificateFiles('pair.test');
    t.after(() => certificate.remove());
    const { certPem } = certificate;
    server = createTlsServer({ ...options, cert: certPem, key: readFileSync(certificate.keyFile) });
    dial = (port) => connectTls({ host: '127.0.0.1', port, ca: certPem, servername: 'pair.test', ...options });
  }
  const { port } = await listening(t, server, 0);
  const accepting = once(server, kind === 'tcp' ? 'connection' : 'secureConnection');
  const client = dial(port);
  client.on('error', () => {});
  t.after(() => client.destroy());
  const [[accepted]] = (await Promise.all([accepting, once(client, kind === 'tcp' ? 'connect' : 'secureConnect')])) as [
    [Socket],
    unknown,
  ];
  accepted.on('error', () => {});
  accepted.pause();
  // Node must not be made to free a TLS session from within its handshake, which is where we may be now.
  await new Promise((resolve) => setImmediate(resolve));
  t.after(() => accepted.destroy());
  return { accepted, client };
}

export function hashOf(...parts: Buffer[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}

/** Reads to the end, in small bites with pauses. @returns the hash */
export async function readSlowly(stream: Duplex, bite = 30_000): Promise<string> {
  const hash = createHash('sha256');
  while (!stream.readableEnded) {
    const bytes = (stream.read(bite) ?? stream.read()) as Buffer | null;
    if (bytes) {
      hash.update(bytes);
      await new Promise((resolve) => setImmediate(resolve));
    } else if (!stream.readableEnded) {
      await new Promise<void>((resolve) => {
        const settle = () => {
          stream.off('readable', settle).off('end', settle);
          resolve();
        };
        stream.on('readable', settle).on('end', settle);
      });
    }
  }
  return hash.digest('hex');
}

/** Reads to the end. Unlike a `for await`, it leaves the other direction alone. @returns the hash */
export async function readFast(stream: Duplex): Promise<string> {
  const hash = createHash('sha256');
  stream.on('data', (chunk: Buffer) => hash.update(chunk));
  await once(stream, 'end');
  return hash.digest('hex');
}
