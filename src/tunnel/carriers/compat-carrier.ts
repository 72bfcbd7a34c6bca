import type { TLSSocket } from 'node:tls';
import { errorOfAnswer } from '../../sdk/calls/answers.js';
import { AnswerError, asNetworkError } from '../../sdk/calls/errors.js';
import type { RelayTransport } from '../../sdk/transport/relay-transport.js';
import { NoPrefixError, readPrefix } from '../../net/read-prefix.js';
import { tunnelKeepAliveMs } from '../../net/tcp-keepalive.js';
import { portalHeaders } from '../../protocol/headers.js';
import type { Carrier, DialRequest, OpenedSession } from './carrier.js';
import { dialRelay } from './dial.js';

/** Most bytes of an answer: its head, and the envelope of a refusal. */
const maxAnswerBytes = 16_384;

/**
 * The carrier of relays of earlier releases (docs/protocol.md, Relays of earlier releases): a plain GET, behind whose
 * answer the session follows. Each serves one visitor.
 */
export class CompatCarrier implements Carrier {
  readonly name = 'raw';

  constructor(
    private readonly relay: URL,
    private readonly transport: RelayTransport,
  ) {}

  async dial({ accessToken, signal }: DialRequest): Promise<OpenedSession> {
    const connect = (dialSignal: AbortSignal) => this.transport.connect(this.relay, dialSignal);
    return await dialRelay(connect, this.relay, signal, async (socket, dialSignal) => {
      const head = [
        'GET /sdk/connect HTTP/1.1',
        `Host: ${this.relay.host}`,
        `${portalHeaders.accessToken}: ${accessToken}`,
      ];
      socket.write(`${head.join('\r\n')}\r\n\r\n`);
      await this.#accepted(socket, dialSignal);
      socket.setKeepAlive(true, tunnelKeepAliveMs);
      return { stream: socket, recycles: false, signs: false, isBare: true };
    });
  }

  /** @throws what the relay answers, unless it accepts */
  async #accepted(socket: TLSSocket, signal: AbortSignal): Promise<void> {
    let bytes = Buffer.alloc(0);
    const take = (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      return parseAnswer(bytes);
    };
    const answer = await readPrefix(socket, take, { signal }).catch((error: unknown) => {
      throw error instanceof NoPrefixError ? asNetworkError(error.cause ?? error, this.relay.host) : error;
    });
    if (answer.status !== 200) throw errorOfAnswer(answer.status, answer.body, answer.retryAfter);
    if (bytes.length > answer.length) socket.unshift(bytes.subarray(answer.length));
  }
}

export interface CompatAnswer {
  status: number;
  /** How many bytes it has; what follows 200 is the session's. */
  length: number;
  /** Of a refusal: its JSON, undefined if it is none. */
  body?: unknown;
  retryAfter?: string | undefined;
}

/**
 * Parses an answer to the GET.
 * @returns undefined while more bytes are needed
 * @throws AnswerError for what is no answer of HTTP/1.1, or a longer one than a relay gives
 */
export function parseAnswer(bytes: Buffer): CompatAnswer | undefined {
  const end = bytes.subarray(0, maxAnswerBytes).indexOf('\r\n\r\n');
  if (end === -1) {
    if (bytes.length >= maxAnswerBytes) throw new AnswerError('the answer of the relay has too large a head');
    return undefined;
  }
  const [statusLine = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
  const status = Number(/^HTTP\/1\.1 ([2-5]\d\d)(?: |$)/.exec(statusLine)?.[1]);
  if (Number.isNaN(status)) throw new AnswerError('the relay does not answer by HTTP/1.1');
  const bodyAt = end + 4;
  if (status === 200) return { status, length: bodyAt };
  const field = (name: string) => {
    const line = lines.find((each) => each.slice(0, name.length + 1).toLowerCase() === `${name}:`);
    return line?.slice(name.length + 1).trim();
  };
  const length = bodyAt + Number(/^\d{1,6}$/.exec(field('content-length') ?? '')?.[0]);
  // A body of unknown length is no envelope of a relay.
  if (!(length <= maxAnswerBytes)) return { status, length: bodyAt };
  if (bytes.length < length) return undefined;
  return { status, length, body: parsed(bytes.toString('utf8', bodyAt, length)), retryAfter: field('retry-after') };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
