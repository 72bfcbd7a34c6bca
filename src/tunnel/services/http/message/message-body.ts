import { type Field, valuesOf } from './fields.js';
import { maxHeadBytes, MessageError, parseTrailers, type RequestHead, type ResponseHead } from './message-head.js';

/** How the end of a body is known (RFC 9112 6.3): by its length in bytes, by chunks, or by the connection's end. */
export type Framing = number | 'chunked' | 'close';

/** @throws MessageError when a service could read the length differently */
export function requestFraming({ fields, minor }: RequestHead): Framing {
  const codings = valuesOf(fields, 'transfer-encoding');
  const lengths = valuesOf(fields, 'content-length');
  if (codings.length > 0) {
    if (codings.length > 1 || codings[0]?.toLowerCase() !== 'chunked')
      throw new MessageError('a Transfer-Encoding other than chunked');
    if (minor === 0) throw new MessageError('a Transfer-Encoding before HTTP/1.1');
    if (lengths.length > 0) throw new MessageError('both Transfer-Encoding and Content-Length');
    return 'chunked';
  }
  if (lengths.length > 1) throw new MessageError('more than one Content-Length');
  return lengths[0] === undefined ? 0 : parseLength(lengths[0]);
}

/** @throws MessageError when the length is not certain */
export function responseFraming({ status, fields, minor }: ResponseHead, method: string): Framing {
  if (method === 'HEAD' || status < 200 || status === 204 || status === 304) return 0;
  const codings = valuesOf(fields, 'transfer-encoding');
  if (codings.length > 0 && minor === 1) {
    if (codings.length > 1 || codings[0]?.toLowerCase() !== 'chunked')
      throw new MessageError('a Transfer-Encoding other than chunked');
    return 'chunked';
  }
  const lengths = new Set(
    valuesOf(fields, 'content-length').flatMap((value) => value.split(',').map((each) => each.trim())),
  );
  if (lengths.size > 1) throw new MessageError('more than one Content-Length');
  for (const length of lengths) return parseLength(length);
  return 'close';
}

function parseLength(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new MessageError('a Content-Length that is not a number');
  return Number(text);
}

/** Of the line that begins a chunk, with its extensions. */
const maxChunkLineBytes = 4_096;
const chunkLine = /^([0-9a-f]{1,13})[ \t]*(?:;[^\0-\x08\x0a-\x1f\x7f]*)?$/i; // eslint-disable-line no-control-regex

/** Takes the framing off a body. */
export class BodyReader {
  /** Bytes that are left: of the body with a length, or of the chunk. */
  #left: number;
  #state: 'data' | 'chunk line' | 'chunk end' | 'trailers' | 'over';
  #line = '';
  trailers: Field[] = [];

  constructor(readonly framing: Framing) {
    this.#left = typeof framing === 'number' ? framing : Infinity;
    this.#state = framing === 0 ? 'over' : framing === 'chunked' ? 'chunk line' : 'data';
  }

  get isOver(): boolean {
    return this.#state === 'over';
  }

  /**
   * @returns what of the body is in these bytes, and what follows it
   * @throws MessageError
   */
  read(bytes: Buffer): { data: Buffer; rest: Buffer } {
    if (this.framing !== 'chunked') {
      const taken = Math.min(this.#left, bytes.length);
      this.#left -= taken;
      if (this.#left === 0) this.#state = 'over';
      if (taken === bytes.length) return { data: bytes, rest: none };
      return { data: bytes.subarray(0, taken), rest: bytes.subarray(taken) };
    }
    const pieces: Buffer[] = [];
    let at = 0;
    while (at < bytes.length && this.#state !== 'over') {
      if (this.#state === 'data') {
        const end = Math.min(at + this.#left, bytes.length);
        pieces.push(bytes.subarray(at, end));
        this.#left -= end - at;
        at = end;
        if (this.#left === 0) this.#state = 'chunk end';
      } else at = this.#readLine(bytes, at);
    }
    return { data: pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces), rest: bytes.subarray(at) };
  }

  /** @returns where the next line begins */
  #readLine(bytes: Buffer, from: number): number {
    const end = bytes.indexOf(0x0a, from);
    this.#line += bytes.toString('latin1', from, end < 0 ? bytes.length : end);
    const most = this.#state === 'trailers' ? maxHeadBytes : maxChunkLineBytes;
    if (this.#line.length > most) throw new MessageError('a chunk line or trailer is too large', true);
    if (end < 0) return bytes.length;
    const line = this.#line;
    if (this.#state === 'trailers') {
      this.#readTrailer(line);
      return end + 1;
    }
    this.#line = '';
    if (!line.endsWith('\r')) throw new MessageError('a chunk line without carriage return');
    if (this.#state === 'chunk end') {
      if (line !== '\r') throw new MessageError('a chunk longer than its length');
      this.#state = 'chunk line';
      return end + 1;
    }
    const size = chunkLine.exec(line.slice(0, -1))?.[1];
    if (size === undefined) throw new MessageError('a chunk without a valid length');
    this.#left = Number.parseInt(size, 16);
    this.#state = this.#left === 0 ? 'trailers' : 'data';
    return end + 1;
  }

  /** @param section all that came of the trailers, without its last line feed */
  #readTrailer(section: string): void {
    const last = section.slice(section.lastIndexOf('\n') + 1);
    if (last !== '\r') {
      this.#line += '\n';
      return;
    }
    const lines = section.slice(0, -'\n\r'.length);
    if (lines !== '') this.trailers = parseTrailers(lines);
    this.#line = '';
    this.#state = 'over';
  }
}

const none = Buffer.alloc(0);

/** The bytes of one chunk. */
export function writeChunk(data: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${data.length.toString(16)}\r\n`, 'latin1'), data, lineEnd]);
}

const lineEnd = Buffer.from('\r\n');
