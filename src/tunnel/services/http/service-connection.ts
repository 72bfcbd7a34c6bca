import type { Duplex } from 'node:stream';
import { guard } from '../../../util/boundary.js';
import { type Field, itemsOf } from './message/fields.js';
import { BodyReader, type Framing, responseFraming } from './message/message-body.js';
import { HeadReader, MessageError, parseResponseHead, type ResponseHead } from './message/message-head.js';

/** What becomes of a request. After `switched` or `failed` nothing more is called. */
export interface ResponseListener {
  /** An informational response (1xx). */
  interim(head: ResponseHead): void;
  head(head: ResponseHead, framing: Framing): void;
  data(data: Buffer): void;
  /** The response is complete. While the request is not, `drained` and `failed` are still called. */
  ended(trailers: Field[]): void;
  /** Of the bytes that have arrived, all has been delivered. @returns whether more may follow; if not, `resume` is called */
  flush(): boolean;
  /** The service speaks another protocol from here on. The connection has no listeners any more. */
  switched(head: ResponseHead, socket: Duplex): void;
  /** The request's body may be continued. */
  drained(): void;
  failed(error: Error): void;
}

/** The service closed the connection in the middle of a response, or before it. */
class BrokenOffError extends Error {
  override readonly name = 'BrokenOffError';

  constructor(readonly code: string | undefined) {
    super('the service closed the connection before its response was complete');
  }
}

/** One connection to a service, for one request at a time. */
export class ServiceConnection {
  /** Bytes to the service, and from it. */
  received = 0;
  sent = 0;
  isClosed = false;
  #listener: ResponseListener | undefined;
  #method = '';
  #upgrades = false;
  #heads = new HeadReader();
  #body: BodyReader | undefined;
  #isReusable = false;
  #error: Error | undefined;
  /** Whether anything has come in answer to the request. */
  #hasAnswered = false;
  #isRequestOver = true;
  /** The response is complete. */
  #hasResponded = false;
  readonly #listeners: [string, (chunk: Buffer) => void][] = [
    ['data', this.#guarded((chunk) => this.#read(chunk))],
    ['end', this.#guarded(() => this.#atEnd())],
    ['close', this.#guarded(() => this.#fail(this.#error))],
    ['drain', this.#guarded(() => this.#listener?.drained())],
  ];

  constructor(readonly socket: Duplex) {
    socket.on('error', (error: Error) => (this.#error ??= error));
    for (const [event, listener] of this.#listeners) socket.on(event, listener);
  }

  /** The service closed a connection that it had kept, maybe before the request reached it. */
  get mayBeStale(): boolean {
    return !this.#hasAnswered;
  }

  /** Whether another request can be sent. */
  get isFree(): boolean {
    return !this.isClosed && this.#listener === undefined;
  }

  /** Sends the head of a request. @param facts.upgrades the service may switch to another protocol */
  ask(head: string, facts: { method: string; upgrades: boolean; hasBody: boolean }, listener: ResponseListener): void {
    this.#listener = listener;
    this.#method = facts.method;
    this.#upgrades = facts.upgrades;
    this.#hasAnswered = false;
    this.#hasResponded = false;
    this.#isRequestOver = !facts.hasBody;
    this.received += head.length;
    // The first part of the body is often there already.
    if (facts.hasBody) {
      this.socket.cork();
      process.nextTick(() => this.socket.uncork());
    }
    this.socket.write(head, 'latin1');
    if (this.socket.isPaused()) this.socket.resume();
  }

  /** @returns whether more may follow at once; if not, after `drained` */
  write(data: Buffer | string): boolean {
    this.received += data.length;
    return this.socket.write(data, 'latin1');
  }

  /** The request's body is complete. */
  endRequest(): void {
    this.#isRequestOver = true;
    if (this.#hasResponded) this.#listener = undefined;
  }

  /** The visitor takes more. */
  resume(): void {
    this.socket.resume();
  }

  close(): void {
    this.isClosed = true;
    this.#listener = undefined;
    this.socket.destroy();
  }

  #read(chunk: Buffer): void {
    this.sent += chunk.length;
    const listener = this.#listener;
    // An idle service has nothing to say.
    if (!listener) return this.close();
    this.#hasAnswered = true;
    try {
      this.#readMessages(chunk, listener);
    } catch (error) {
      if (!(error instanceof MessageError)) throw error;
      listener.flush();
      this.#fail(error);
      this.close();
    }
  }

  #readMessages(chunk: Buffer, listener: ResponseListener): void {
    let rest = chunk;
    while (rest.length > 0) {
      // More than one response, or one to a request that was only begun.
      if (this.#listener !== listener || this.#hasResponded) {
        this.#fail(undefined);
        return this.close();
      }
      if (!this.#body) {
        const found = this.#heads.read(rest);
        if (!found) break;
        rest = found.rest;
        if (!this.#readHead(parseResponseHead(found.head), rest, listener)) return;
      } else {
        const read = this.#body.read(rest);
        rest = read.rest;
        if (read.data.length > 0) listener.data(read.data);
      }
      if (this.#body?.isOver) this.#end(listener, this.#body.trailers);
    }
    if (!listener.flush() && this.#listener === listener) this.socket.pause();
  }

  /** @returns whether the connection is still this one's */
  #readHead(head: ResponseHead, rest: Buffer, listener: ResponseListener): boolean {
    if (head.status === 101) {
      if (!this.#upgrades || !itemsOf(head.fields, 'upgrade').includes('websocket'))
        throw new MessageError('a switch to another protocol than WebSocket');
      this.#listener = undefined;
      for (const [event, handler] of this.#listeners) this.socket.off(event, handler);
      if (rest.length > 0) this.socket.unshift(rest);
      listener.switched(head, this.socket);
      return false;
    }
    if (head.status < 200) {
      listener.interim(head);
      return true;
    }
    const framing = responseFraming(head, this.#method);
    const keeps = head.minor === 1 ? !head.options.includes('close') : head.options.includes('keep-alive');
    // Where both are given the chunks count, and the connection is not used again (RFC 9112 6.3).
    const isCertain = framing !== 'chunked' || !head.fields.some(({ key }) => key === 'content-length');
    this.#isReusable = keeps && framing !== 'close' && isCertain;
    this.#body = new BodyReader(framing);
    listener.head(head, framing);
    return true;
  }

  #end(listener: ResponseListener, trailers: Field[]): void {
    this.#body = undefined;
    this.#hasResponded = true;
    if (!this.#isReusable) this.close();
    else if (this.#isRequestOver) this.#listener = undefined;
    listener.ended(trailers);
  }

  #atEnd(): void {
    const listener = this.#listener;
    if (listener && this.#body?.framing === 'close') {
      this.#end(listener, []);
      listener.flush();
    } else this.#fail(undefined);
    this.close();
  }

  #guarded(handler: (chunk: Buffer) => unknown): (chunk: Buffer) => void {
    return guard('service data', handler, () => {
      this.socket.destroy();
      this.#fail(undefined);
    });
  }

  #fail(error: (Error & { code?: string }) | undefined): void {
    const listener = this.#listener;
    this.isClosed = true;
    this.#listener = undefined;
    if (!listener) return;
    listener.failed(error instanceof MessageError ? error : new BrokenOffError(error?.code));
  }
}
