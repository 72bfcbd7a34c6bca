import type { Duplex } from 'node:stream';
import { guard } from '../../util/boundary.js';

/** The beginning of a message that is kept. */
const maxTextBytes = 4_096;

export interface SocketMessage {
  /** From the visitor, or to it. */
  direction: 'in' | 'out';
  kind: 'text' | 'binary' | 'close' | 'ping' | 'pong';
  length: number;
  /** The beginning: text, or hexadecimal digits of other bytes. */
  text: string;
  /** Milliseconds since the epoch. */
  at: number;
}

const kinds: Record<number, SocketMessage['kind']> = { 1: 'text', 2: 'binary', 8: 'close', 9: 'ping', 10: 'pong' };

/** Reads WebSocket frames (RFC 6455 5.2) beside those who use them. At the first byte that is no frame it stops. */
export class MessageTap {
  #head = Buffer.alloc(0);
  /** The frame whose payload comes. */
  #frame: { left: number; mask: Buffer | undefined; at: number; isFinal: boolean; isControl: boolean } | undefined;
  #message = { kind: 'text' as SocketMessage['kind'], length: 0, kept: [] as Buffer[], bytes: 0 };
  #control = { kind: 'ping' as SocketMessage['kind'], length: 0, kept: [] as Buffer[], bytes: 0 };
  #isLost = false;

  constructor(
    stream: Duplex,
    private readonly direction: SocketMessage['direction'],
    private readonly tell: (message: SocketMessage) => void,
  ) {
    stream.on(
      'data',
      guard('inspected data', (chunk: Buffer) => this.#read(chunk)),
    );
  }

  #read(chunk: Buffer): void {
    let rest = chunk;
    while (rest.length > 0 && !this.#isLost) rest = this.#frame ? this.#readPayload(rest) : this.#readHead(rest);
  }

  #readHead(bytes: Buffer): Buffer {
    const head = Buffer.concat([this.#head, bytes.subarray(0, 14)]);
    const before = this.#head.length;
    this.#head = head;
    if (head.length < 2) return none;
    const [first = 0, second = 0] = head;
    const opcode = first & 0x0f;
    const isMasked = (second & 0x80) !== 0;
    const short = second & 0x7f;
    const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
    const size = 2 + lengthBytes + (isMasked ? 4 : 0);
    // Reserved bits mean an extension, and none was offered.
    if ((first & 0x70) !== 0 || !(opcode in kinds || opcode === 0)) this.#isLost = true;
    if (head.length < size || this.#isLost) return none;
    const length = lengthBytes === 0 ? short : head.readUIntBE(lengthBytes === 8 ? 4 : 2, lengthBytes === 8 ? 6 : 2);
    const isControl = opcode >= 8;
    const message = isControl ? this.#control : this.#message;
    if (opcode !== 0) Object.assign(message, { kind: kinds[opcode], length: 0, kept: [], bytes: 0 });
    message.length += length;
    this.#frame = {
      left: length,
      mask: isMasked ? head.subarray(size - 4, size) : undefined,
      at: 0,
      isFinal: (first & 0x80) !== 0,
      isControl,
    };
    this.#head = none;
    const rest = bytes.subarray(size - before);
    if (length === 0) this.#endOfFrame();
    return rest;
  }

  #readPayload(bytes: Buffer): Buffer {
    const frame = this.#frame!;
    const message = frame.isControl ? this.#control : this.#message;
    const part = bytes.subarray(0, frame.left);
    const room = Math.min(part.length, maxTextBytes - message.bytes);
    if (room > 0) {
      const kept = Buffer.from(part.subarray(0, room));
      const { mask, at } = frame;
      if (mask) for (let index = 0; index < room; index++) kept[index]! ^= mask[(at + index) % 4]!;
      message.kept.push(kept);
      message.bytes += room;
    }
    frame.left -= part.length;
    frame.at += part.length;
    if (frame.left === 0) this.#endOfFrame();
    return bytes.subarray(part.length);
  }

  #endOfFrame(): void {
    const { isFinal, isControl } = this.#frame!;
    this.#frame = undefined;
    if (!isFinal) return;
    const { kind, length, kept } = isControl ? this.#control : this.#message;
    const bytes = Buffer.concat(kept);
    const text = kind === 'text' ? bytes.toString() : bytes.subarray(0, 64).toString('hex');
    this.tell({ direction: this.direction, kind, length, text, at: Date.now() });
  }
}

const none = Buffer.alloc(0);
