import { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import type { RequestFacts } from '../services/http/forwarded-headers.js';
import type { Field } from '../services/http/message/fields.js';
import type { RequestHead, ResponseHead } from '../services/http/message/message-head.js';
import type { ExchangeWatch, HttpObserver } from '../services/http/observer.js';
import { MessageTap, type SocketMessage } from './websocket-tap.js';

/** What is kept, of all requests and of one. */
const maxExchanges = 500;
const maxBytes = 67_108_864;
const maxBodyBytes = 262_144;
const maxMessages = 500;

/** The beginning of a body, and how long it is. */
export interface RecordedBody {
  pieces: Buffer[];
  kept: number;
  length: number;
}

/** A request and its response, as they came. */
export interface Recorded {
  id: number;
  /** Milliseconds since the epoch. */
  startedAt: number;
  address: string | undefined;
  hostname: string | undefined;
  request: RequestHead;
  added: readonly Field[];
  requestBody: RecordedBody;
  response: (Pick<ResponseHead, 'status' | 'reason' | 'fields'> & { isLocal: boolean }) | undefined;
  responseBody: RecordedBody;
  messages: SocketMessage[];
  /** Milliseconds from the start to the head of the response, and to its end. */
  waitedMs: number | undefined;
  tookMs: number | undefined;
  error: string | undefined;
  /** The request that it repeats. */
  repeats: number | undefined;
}

/** Keeps the last requests in memory, and nothing on disk. */
export class Recorder extends EventEmitter<{ changed: [recorded: Recorded] }> implements HttpObserver {
  readonly readsMessages = true;
  readonly #all = new Map<number, Recorded>();
  #bytes = 0;
  #next = 1;

  get all(): Recorded[] {
    return [...this.#all.values()];
  }

  find(id: number): Recorded | undefined {
    return this.#all.get(id);
  }

  clear(): void {
    this.#all.clear();
    this.#bytes = 0;
  }

  /** @see HttpObserver @param repeats the request that it repeats */
  begin(request: RequestHead, { address, hostname }: RequestFacts, repeats?: number): ExchangeWatch {
    const started = performance.now();
    const recorded: Recorded = {
      id: this.#next++,
      startedAt: Date.now(),
      address,
      hostname,
      request,
      added: [],
      requestBody: { pieces: [], kept: 0, length: 0 },
      response: undefined,
      responseBody: { pieces: [], kept: 0, length: 0 },
      messages: [],
      waitedMs: undefined,
      tookMs: undefined,
      error: undefined,
      repeats,
    };
    this.#all.set(recorded.id, recorded);
    this.#keep(recorded, sizeOfHead(request.fields));
    const since = () => Math.round((performance.now() - started) * 10) / 10;
    const changed = () => {
      if (this.#all.has(recorded.id)) this.emit('changed', recorded);
    };
    changed();
    return {
      added: (fields) => (recorded.added = [...fields]),
      requestData: (data) => this.#add(recorded, recorded.requestBody, data),
      response: ({ status, reason, fields }, isLocal) => {
        recorded.waitedMs = since();
        if (!this.#all.has(recorded.id)) return;
        recorded.response = { status, reason, fields, isLocal };
        this.#keep(recorded, sizeOfHead(fields));
        changed();
      },
      responseData: (data) => this.#add(recorded, recorded.responseBody, data),
      switched: (visitor, service) => this.#follow(recorded, visitor, service, changed),
      ended: (error) => {
        if (recorded.tookMs !== undefined) return;
        recorded.tookMs = since();
        recorded.error = error?.message;
        changed();
      },
    };
  }

  #follow(recorded: Recorded, visitor: Duplex, service: Duplex, changed: () => void): void {
    const tell = (message: SocketMessage) => {
      if (!this.#all.has(recorded.id)) return;
      const forgotten = recorded.messages.length >= maxMessages ? recorded.messages.shift() : undefined;
      recorded.messages.push(message);
      this.#keep(recorded, sizeOfMessage(message) - (forgotten ? sizeOfMessage(forgotten) : 0));
      changed();
    };
    new MessageTap(visitor, 'in', tell);
    new MessageTap(service, 'out', tell);
  }

  #add(recorded: Recorded, body: RecordedBody, data: Buffer): void {
    body.length += data.length;
    const room = Math.min(maxBodyBytes - body.kept, data.length);
    if (room <= 0 || !this.#all.has(recorded.id)) return;
    body.pieces.push(Buffer.from(data.subarray(0, room)));
    body.kept += room;
    this.#keep(recorded, room);
  }

  /** Counts bytes that are kept, and forgets the oldest requests for them. */
  #keep(recorded: Recorded, bytes: number): void {
    this.#bytes += bytes;
    for (const [id, oldest] of this.#all) {
      if (this.#bytes <= maxBytes && this.#all.size <= maxExchanges) return;
      if (oldest === recorded) continue;
      this.#all.delete(id);
      this.#bytes -= sizeOf(oldest);
    }
  }
}

/** Bytes that count for each head and message beside its text. */
const overheadBytes = 200;

function sizeOf({ request, response, requestBody, responseBody, messages }: Recorded): number {
  const heads = sizeOfHead(request.fields) + (response ? sizeOfHead(response.fields) : 0);
  return heads + requestBody.kept + responseBody.kept + messages.reduce((sum, each) => sum + sizeOfMessage(each), 0);
}

function sizeOfHead(fields: readonly Field[]): number {
  return fields.reduce((sum, { name, value }) => sum + name.length + value.length, overheadBytes);
}

function sizeOfMessage({ text }: SocketMessage): number {
  return text.length + overheadBytes;
}
