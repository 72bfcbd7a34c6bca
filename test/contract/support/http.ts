import { once } from 'node:events';
import { type TLSSocket, connect } from 'node:tls';
import { Agent, request } from 'undici';
import type { HttpAnswer } from '../../../src/conformance/relay/answer-checker.js';
export type { HttpAnswer };
import type { TestRelay } from '../../support/relay.js';

export interface HttpRequest {
  method: string;
  path: string;
  headers?: Record<string, string>;
  /** An object goes as JSON, anything else as it is. */
  body?: unknown;
}

/** Sends requests to one server over connections that are kept. */
export class Caller {
  readonly #agent: Agent;

  constructor(
    private readonly origin: string,
    relay?: TestRelay,
  ) {
    this.#agent = new Agent(relay ? { connect: { ca: relay.ca, servername: relay.rootHost } } : {});
  }

  async send({ method, path, headers = {}, body }: HttpRequest): Promise<HttpAnswer> {
    const raw = body === undefined || typeof body === 'string' || Buffer.isBuffer(body);
    const answer = await request(this.origin + path, {
      method: method.toUpperCase() as 'GET',
      dispatcher: this.#agent,
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      body: raw ? ((body ?? null) as string | Buffer | null) : JSON.stringify(body),
      headersTimeout: 10_000,
      bodyTimeout: 10_000,
    });
    const isEndless = String(answer.headers['content-type']).startsWith('text/event-stream');
    if (isEndless) answer.body.on('error', () => undefined).destroy();
    const flat = Object.entries(answer.headers).map(([name, value]) => [name, [value].flat().join(', ')]);
    return {
      status: answer.statusCode,
      headers: Object.fromEntries(flat) as Record<string, string>,
      body: isEndless ? Buffer.alloc(0) : Buffer.from(await answer.body.arrayBuffer()),
    };
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}

export const callerOf = (relay: TestRelay) => new Caller(`https://127.0.0.1:${relay.apiPort}`, relay);

/** Writes bytes to a connection of their own, and reads one answer: its head, and as much body as that announces. */
export async function exchangeRaw(relay: TestRelay, text: string): Promise<HttpAnswer> {
  const options = { host: '127.0.0.1', port: relay.apiPort, servername: relay.rootHost, ca: relay.ca };
  const socket = connect({ ...options, ALPNProtocols: ['http/1.1'] });
  socket.on('error', () => {});
  try {
    await once(socket, 'secureConnect');
    socket.write(text);
    return await readAnswer(socket);
  } finally {
    socket.destroy();
  }
}

/** Of a stream that carries an HTTP/1.1 answer. @throws Error when it ends before that does */
export async function readAnswer(stream: NodeJS.ReadableStream | TLSSocket): Promise<HttpAnswer> {
  let bytes = Buffer.alloc(0);
  for await (const chunk of stream) {
    bytes = Buffer.concat([bytes, chunk as Buffer]);
    const answer = parseAnswer(bytes);
    if (answer) return answer;
  }
  throw new Error(`no whole answer: ${bytes.toString('latin1').slice(0, 200)}`);
}

function parseAnswer(bytes: Buffer): HttpAnswer | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [first, ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  ) as Record<string, string>;
  const length = Number(headers['content-length'] ?? 0);
  const body = bytes.subarray(end + 4, end + 4 + length);
  if (body.length < length) return undefined;
  return { status: Number(first!.split(' ')[1]), headers, body };
}
