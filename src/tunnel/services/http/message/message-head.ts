import { type Field, fieldName, itemsOf, named } from './fields.js';

/** Of a request or a response. */
export const maxHeadBytes = 65_536;
/** Most header or trailer fields of one message. */
const maxFields = 1_000;
/** Most pieces of a head that are kept before they are joined. */
const maxPieces = 64;

/** The bytes are no valid HTTP/1.x message, or more than is accepted. The message says which, for the owner. */
export class MessageError extends Error {
  override readonly name = 'MessageError';

  constructor(
    message: string,
    readonly isTooLarge = false,
  ) {
    super(message);
  }
}

export interface RequestHead {
  method: string;
  /** As it was sent, each byte a character. */
  target: string;
  /** HTTP/1.0 or 1.1. */
  minor: 0 | 1;
  fields: Field[];
  /** The options of its Connection header, in lower case. */
  options: readonly string[];
}

export interface ResponseHead {
  status: number;
  reason: string;
  minor: 0 | 1;
  fields: Field[];
  /** The options of its Connection header, in lower case. */
  options: readonly string[];
}

/** Finds the end of a head: an empty line. */
export class HeadReader {
  #pieces: Buffer[] = [];
  #bytes = 0;

  /**
   * @returns the head without its empty line, and what follows; undefined until it is complete
   * @throws MessageError when it is too large
   */
  read(chunk: Buffer): { head: string; rest: Buffer } | undefined {
    const tail = this.#tail();
    // The empty line may have begun in the piece before.
    const searched = tail.length === 0 ? chunk : Buffer.concat([tail, chunk]);
    const end = endOfHead(searched);
    const taken = end === undefined ? chunk.length : end.after - tail.length;
    if (this.#bytes + taken > maxHeadBytes) throw new MessageError('the head is too large', true);
    if (end === undefined) {
      // Each piece holds on to the memory that it is a part of.
      if (this.#pieces.length === maxPieces) this.#pieces = [Buffer.concat(this.#pieces)];
      this.#pieces.push(chunk);
      this.#bytes += chunk.length;
      return undefined;
    }
    const last = chunk.subarray(0, taken);
    const whole = this.#bytes === 0 ? last : Buffer.concat([...this.#pieces, last]);
    this.#pieces = [];
    this.#bytes = 0;
    const { length } = whole;
    return { head: whole.toString('latin1', 0, length - (end.after - end.line)), rest: chunk.subarray(taken) };
  }

  /** The last bytes so far: an empty line begins at most two bytes before its last one. */
  #tail(): Buffer {
    if (this.#bytes === 0) return empty;
    let tail = empty;
    for (let at = this.#pieces.length - 1; at >= 0 && tail.length < 2; at--)
      tail = Buffer.concat([(this.#pieces[at] as Buffer).subarray(-2), tail]);
    return tail.subarray(-2);
  }
}

const empty = Buffer.alloc(0);
const emptyLine = Buffer.from('\n\r\n');
const bareEmptyLine = Buffer.from('\n\n');

/** @returns where the last line's line feed is, and where the empty line ends */
function endOfHead(bytes: Buffer): { line: number; after: number } | undefined {
  const line = bytes.indexOf(emptyLine);
  // A head with bare line feeds is invalid or read leniently; either way its body is no part of it.
  const bare = (line < 0 ? bytes : bytes.subarray(0, line)).indexOf(bareEmptyLine);
  if (bare >= 0) return { line: bare, after: bare + 2 };
  return line < 0 ? undefined : { line, after: line + 3 };
}

/** Control characters, but for tab, and line ends that are not both characters. */
const irregular = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n/; // eslint-disable-line no-control-regex
/** What even a lenient reader refuses. */
const unclear = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)/; // eslint-disable-line no-control-regex
const requestLine = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([^\0-\x20\x7f]+) HTTP\/1\.([01])$/;
const statusLine = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: (.*))?$/;
/** Shoutcast and its descendants. */
const icyLine = /^ICY ([1-9]\d\d)(?: (.*))?$/;

/**
 * Parses a request head (RFC 9112 3 and 5), strictly: what a service could read differently is refused.
 * @throws MessageError
 */
export function parseRequestHead(head: string): RequestHead {
  // One empty line before a request is ignored (RFC 9112 2.2).
  const lines = strictLines(head.startsWith('\r\n') ? head.slice(2) : head);
  const [, method, target, minor] = requestLine.exec(lines[0] as string) ?? [];
  if (method === undefined || target === undefined)
    throw new MessageError('the first line is not a request of HTTP/1.0 or HTTP/1.1');
  const fields = parseFields(lines, 1, false);
  return { method, target, minor: minor === '1' ? 1 : 0, fields, options: itemsOf(fields, 'connection') };
}

/**
 * Parses a response head. Where only one reading is possible, a service may deviate: bare line feeds, space before a
 * colon, folded lines, no reason phrase, `ICY` for HTTP/1.0.
 * @throws MessageError
 */
export function parseResponseHead(head: string): ResponseHead {
  const lines = lenientLines(head);
  const first = lines[0] as string;
  const [, minor, status, reason = ''] = statusLine.exec(first) ?? icyAsHttp10(first);
  const fields = parseFields(lines, 1, true);
  return {
    status: Number(status),
    reason,
    minor: minor === '1' ? 1 : 0,
    fields,
    options: itemsOf(fields, 'connection'),
  };
}

/** @throws MessageError */
function icyAsHttp10(line: string): string[] {
  const [whole = '', status = '', reason = ''] = icyLine.exec(line) ?? [];
  if (whole === '') throw new MessageError('the first line is not a response of HTTP/1.0 or HTTP/1.1');
  return [whole, '0', status, reason];
}

/** Parses the lines of trailers. @throws MessageError */
export function parseTrailers(section: string): Field[] {
  return parseFields(strictLines(section), 0, false);
}

/** @param text without the last line feed. @throws MessageError */
function strictLines(text: string): string[] {
  if (!text.endsWith('\r')) throw new MessageError('a line feed without carriage return');
  const lines = text.slice(0, -1);
  if (irregular.test(lines)) throw new MessageError('a control character, or half a line end');
  return lines.split('\r\n');
}

function lenientLines(text: string): string[] {
  const lines = text.endsWith('\r') ? text.slice(0, -1) : text;
  if (!irregular.test(lines)) return lines.split('\r\n');
  if (unclear.test(lines)) throw new MessageError('a control character, or a carriage return without line feed');
  return lines.split(/\r?\n/);
}

function parseFields(lines: string[], from: number, isLenient: boolean): Field[] {
  if (lines.length - from > maxFields) throw new MessageError('too many header fields', true);
  const fields: Field[] = [];
  for (let at = from; at < lines.length; at++) {
    const line = lines[at] as string;
    if (line.startsWith(' ') || line.startsWith('\t')) {
      const folded = fields.pop();
      if (!isLenient || !folded) throw new MessageError('a folded header line');
      fields.push({ ...folded, value: `${folded.value} ${trimmed(line)}`.trim() });
      continue;
    }
    const colon = line.indexOf(':');
    const given = line.slice(0, Math.max(colon, 0));
    const name = fieldName(isLenient ? given.trimEnd() : given);
    if (!name) throw new MessageError('a header line without a valid name');
    fields.push(named(name, trimmed(line.slice(colon + 1))));
  }
  return fields;
}

/** Without white space around it, which in HTTP is space and tab alone. */
function trimmed(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

export function writeHead(firstLine: string, fields: readonly Field[]): string {
  let head = `${firstLine}\r\n`;
  for (const { name, value } of fields) head += `${name}: ${value}\r\n`;
  return `${head}\r\n`;
}
