import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';
import { once } from 'node:events';
import { type Socket, connect as connectTcp } from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';
import { type TLSSocket, connect } from 'node:tls';
import { readBytes } from './by-hand.js';
import type { TestRelay } from './relay.js';

// The sealed records of docs/protocol.md (Unwrapped sessions), from the document and node:crypto alone.

export const control = 22;
export const frames = 23;

/** HKDF-Expand-Label (RFC 8446 7.1) with SHA-256 and no context, up to one block. */
function expandLabel(secret: Buffer, label: string, length: number): Buffer {
  const name = Buffer.from(`tls13 ${label}`);
  const info = Buffer.concat([Buffer.from([0, length, name.length]), name, Buffer.from([0, 1])]);
  return createHmac('sha256', secret).update(info).digest().subarray(0, length);
}

class Direction {
  readonly key: Buffer;
  readonly #iv: Buffer;
  #count = 0n;

  constructor(secret: Buffer) {
    this.key = expandLabel(secret, 'key', 16);
    this.#iv = expandLabel(secret, 'iv', 12);
  }

  nonce(): Buffer {
    const nonce = Buffer.from(this.#iv);
    nonce.writeBigUInt64BE(nonce.readBigUInt64BE(4) ^ this.#count++, 4);
    return nonce;
  }
}

export class UnwrappedPeer {
  readonly #send: Direction;
  readonly #receive: Direction;

  /** @param exporter 64 bytes */
  constructor(role: 'tunnel' | 'relay', exporter: Buffer) {
    const [ofTunnel, ofRelay] = [new Direction(exporter.subarray(0, 32)), new Direction(exporter.subarray(32))];
    this.#send = role === 'tunnel' ? ofTunnel : ofRelay;
    this.#receive = role === 'tunnel' ? ofRelay : ofTunnel;
  }

  seal(type: number, content: Buffer | string): Buffer {
    const inner = Buffer.concat([Buffer.from(content as Buffer), Buffer.from([type])]);
    const header = Buffer.from([0x17, 3, 3, 0, 0]);
    header.writeUInt16BE(inner.length + 16, 3);
    const cipher = createCipheriv('aes-128-gcm', this.#send.key, this.#send.nonce()).setAAD(header);
    return Buffer.concat([header, cipher.update(inner), cipher.final(), cipher.getAuthTag()]);
  }

  /** @throws where it does not authenticate */
  open(record: Buffer): { type: number; content: Buffer } {
    const decipher = createDecipheriv('aes-128-gcm', this.#receive.key, this.#receive.nonce());
    decipher.setAAD(record.subarray(0, 5)).setAuthTag(record.subarray(-16));
    const inner = Buffer.concat([decipher.update(record.subarray(5, -16)), decipher.final()]);
    return { type: inner.at(-1)!, content: inner.subarray(0, -1) };
  }

  /** The next unit that comes; `clear` with a frame's content. */
  async read(socket: Duplex): Promise<{ type: number | 'clear'; content: Buffer }> {
    const start = await readBytes(socket, 4);
    if (start[0] === 0) return { type: 'clear', content: await readBytes(socket, start.readUInt32BE(0)) };
    const header = Buffer.concat([start, await readBytes(socket, 1)]);
    return this.open(Buffer.concat([header, await readBytes(socket, header.readUInt16BE(3))]));
  }
}

export function frame(content: Buffer): Buffer {
  const header = Buffer.alloc(4);
  header.writeUInt32BE(content.length);
  return Buffer.concat([header, content]);
}
export const endMark = Buffer.alloc(4);

export interface WrappedConnection {
  tls: TLSSocket;
  /** Takes TLS off. @returns the bare connection and the peer for what follows */
  unwrap(): { socket: Socket; peer: UnwrappedPeer };
}

/** TLS to the public port of a relay that can be taken off: between it and TCP stands a pair of streams. */
export async function connectWrapped(
  relay: TestRelay,
  protocols = ['portal-reverse', 'http/1.1'],
): Promise<WrappedConnection> {
  const socket = connectTcp({ host: '127.0.0.1', port: relay.publicPort, allowHalfOpen: true });
  await once(socket, 'connect');
  socket.setNoDelay(true).on('error', () => {});
  const [inner, outer] = duplexPair();
  const toTls = (chunk: Buffer) => void outer.write(chunk);
  const end = () => void outer.end();
  socket.on('data', toTls).on('close', end);
  outer.on('data', (chunk: Buffer) => void socket.write(chunk));
  const tls = connect({ socket: inner, servername: relay.rootHost, ca: relay.ca, ALPNProtocols: protocols });
  tls.on('error', () => {});
  await once(tls, 'secureConnect');
  return {
    tls,
    unwrap() {
      const exporter = tls.exportKeyingMaterial(64, 'EXPORTER-portal-unwrap', Buffer.alloc(0));
      socket.off('data', toTls).off('close', end).pause();
      return { socket, peer: new UnwrappedPeer('tunnel', exporter) };
    },
  };
}
