import type { Duplex } from 'node:stream';
import { guard } from '../../../util/boundary.js';
import type { SpliceOutcome } from '../upstream/splice-service.js';
import { Exchange, type ExchangeHost, type ExchangeOptions, httpIdleTimeoutMs } from './exchange.js';
import type { RequestFacts } from './forwarded-headers.js';
import { HeadReader, MessageError, parseRequestHead, type RequestHead } from './message/message-head.js';
import type { Answerer } from './routes.js';
import { ServiceConnection } from './service-connection.js';

/** Most bytes of a visitor that wait for what comes before them. */
const maxHeldBytes = 65_536;
/** After the last response, so that bytes of the visitor that are still on their way do not reset it. */
const lingerMs = 10_000;
/** After the visitor has ended its direction: how long a service may pause in its response. */
const halfClosedTimeoutMs = 120_000;

/**
 * One visitor's connection: its requests are answered one after the other. Each service has one connection, which all
 * requests to it share; it is opened for the first one, and again after the service has closed it.
 */
export class VisitorConnection implements ExchangeHost {
  /** Settles when the visitor's connection is closed. */
  readonly over: Promise<SpliceOutcome>;
  readonly outcome: SpliceOutcome = { received: 0, sent: 0 };
  readonly #services = new Map<Answerer, ServiceConnection>();
  readonly #heads = new HeadReader();
  #exchange: Exchange | undefined;
  /** Bytes that wait for what comes before them. */
  #held: Buffer[] = [];
  #heldBytes = 0;
  /** Bytes that are written together; strings hold a byte a character. */
  #outgoing: (Buffer | string)[] = [];
  #isAdvancing = false;
  #isPaused = false;
  /** No request is read any more. */
  #isLast = false;
  #hasEnded = false;
  #timer: NodeJS.Timeout;
  #joined: Promise<unknown> | undefined;
  readonly #listeners: [string, (chunk: Buffer) => void][];

  /** @param open opens a connection to a service */
  constructor(
    private readonly visitor: Duplex,
    readonly facts: RequestFacts,
    private readonly open: (to: Answerer) => Promise<Duplex>,
    private readonly options: ExchangeOptions,
  ) {
    const cut = () => void visitor.destroy();
    const guarded = (handler: (chunk: Buffer) => unknown) => guard('visitor request', handler, cut);
    this.#timer = this.#limit(httpIdleTimeoutMs);
    this.#listeners = [
      ['data', guarded((chunk) => this.#take(chunk))],
      ['drain', guarded(() => this.#drained())],
      ['end', guarded(() => this.#atEnd())],
    ];
    visitor.on('error', (error) => (this.outcome.error ??= error));
    for (const [event, listener] of this.#listeners) visitor.on(event, listener);
    this.over = new Promise((resolve) => {
      const onClose = () => {
        clearTimeout(this.#timer);
        this.#exchange?.abandon();
        for (const service of this.#services.values()) this.#leave(service);
        this.#held = [];
        const over = () => setImmediate(() => resolve(this.outcome));
        (this.#joined ?? Promise.resolve()).then(over, over);
      };
      // It may have closed while the service was being connected to.
      if (visitor.closed) onClose();
      else visitor.once('close', onClose);
    });
  }

  /** @see ExchangeHost */
  serviceFor(to: Answerer): ServiceConnection | undefined {
    const service = this.#services.get(to);
    if (service?.isFree) return service;
    if (service) this.#leave(service);
    this.#services.delete(to);
    return undefined;
  }

  /** @see ExchangeHost */
  async connect(to: Answerer): Promise<ServiceConnection> {
    const service = new ServiceConnection(await this.open(to));
    if (this.visitor.destroyed) service.close();
    else this.#services.set(to, service);
    return service;
  }

  #leave(service: ServiceConnection): void {
    this.#count(service);
    service.close();
  }

  #count(service: ServiceConnection): void {
    this.outcome.received += service.received;
    this.outcome.sent += service.sent;
    service.received = service.sent = 0;
  }

  /** @see ExchangeHost */
  put(bytes: Buffer | string): void {
    this.#outgoing.push(bytes);
  }

  /** @see ExchangeHost */
  flush(): boolean {
    const outgoing = this.#outgoing;
    if (outgoing.length > 0 && !this.visitor.destroyed) {
      this.#outgoing = [];
      // One write becomes as few TLS records as can be.
      this.visitor.write(joined(outgoing));
      if (this.#hasEnded) this.#timer.refresh();
    }
    return !this.visitor.writableNeedDrain;
  }

  /** @see ExchangeHost */
  finished(isLast: boolean): void {
    this.flush();
    this.#exchange = undefined;
    if (isLast) this.#finish();
    else {
      if (!this.#hasEnded) this.#timer.refresh();
      this.advance();
    }
  }

  /** @see ExchangeHost */
  cut(error: Error): void {
    this.outcome.error ??= error;
    this.visitor.destroy();
  }

  /** @see ExchangeHost */
  switchTo(service: ServiceConnection | undefined, join: (visitor: Duplex) => Promise<unknown>): void {
    this.flush();
    this.#exchange = undefined;
    for (const [to, each] of this.#services) {
      if (each !== service) continue;
      this.#count(each);
      this.#services.delete(to);
    }
    clearTimeout(this.#timer);
    this.#isLast = true;
    for (const [event, listener] of this.#listeners) this.visitor.off(event, listener);
    for (const chunk of this.#held.reverse()) this.visitor.unshift(chunk);
    this.#held = [];
    this.#joined = join(this.visitor);
    this.visitor.resume();
  }

  #take(chunk: Buffer): void {
    // The connection is over: what still comes is not of interest.
    if (this.#isLast) return;
    this.#held.push(chunk);
    this.#heldBytes += chunk.length;
    this.advance();
  }

  /** @see ExchangeHost */
  advance(): void {
    if (this.#isAdvancing) return;
    this.#isAdvancing = true;
    try {
      while (!this.#isLast && this.#held.length > 0 && this.#canRead()) {
        const chunk = this.#held.shift() as Buffer;
        this.#heldBytes -= chunk.length;
        const rest = this.#exchange ? this.#exchange.readBody(chunk) : this.#readHead(chunk);
        if (rest.length === 0) continue;
        this.#held.unshift(rest);
        this.#heldBytes += rest.length;
      }
    } finally {
      this.#isAdvancing = false;
    }
    this.#balance();
  }

  #canRead(): boolean {
    // Without an exchange a request would be answered though nobody reads the answers.
    return this.#exchange ? this.#exchange.wantsBody : !this.visitor.writableNeedDrain;
  }

  /** Reads as much ahead as to notice that the visitor leaves, and no more. */
  #balance(): void {
    if (this.#isLast) return;
    const isFull = this.#heldBytes >= maxHeldBytes;
    if (isFull !== this.#isPaused) {
      this.#isPaused = isFull;
      if (isFull) this.visitor.pause();
      else this.visitor.resume();
    }
    if (!this.#hasEnded || this.#held.length > 0) return;
    if (!this.#exchange || (this.#exchange.isAnswered && this.#exchange.wantsBody)) this.#finish();
    else if (this.#exchange.wantsBody) this.cut(new Error('the visitor ended in the middle of a request'));
  }

  #readHead(chunk: Buffer): Buffer {
    let head: RequestHead;
    let rest: Buffer;
    try {
      const found = this.#heads.read(chunk);
      if (!found) return none;
      rest = found.rest;
      head = parseRequestHead(found.head);
    } catch (error) {
      if (!(error instanceof MessageError)) throw error;
      this.#exchange = new Exchange(this, unreadable, this.options);
      this.#exchange.refuse(error);
      return none;
    }
    const exchange = new Exchange(this, head, this.options);
    this.#exchange = exchange;
    exchange.begin();
    return rest;
  }

  /** @see ExchangeHost */
  answered(): void {
    this.#timer.refresh();
  }

  #drained(): void {
    this.#exchange?.visitorDrained();
    this.advance();
  }

  #atEnd(): void {
    this.#hasEnded = true;
    if (this.#exchange) {
      clearTimeout(this.#timer);
      this.#timer = this.#limit(halfClosedTimeoutMs);
    }
    this.#balance();
  }

  #finish(): void {
    this.#isLast = true;
    this.#held = [];
    if (this.#isPaused) this.visitor.resume();
    clearTimeout(this.#timer);
    this.#timer = this.#limit(lingerMs);
    this.visitor.end();
  }

  #limit(ms: number): NodeJS.Timeout {
    return setTimeout(() => {
      if (!this.#exchange || this.#exchange.isAnswered || this.#hasEnded || this.#isLast) this.visitor.destroy();
      // An exchange takes as long as it takes; the time counts from its end.
      else this.#timer.refresh();
    }, ms);
  }
}

function joined(pieces: (Buffer | string)[]): Buffer {
  const [first] = pieces;
  if (pieces.length === 1 && typeof first === 'object') return first;
  const whole = Buffer.allocUnsafe(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    if (typeof piece === 'string') whole.write(piece, at, 'latin1');
    else whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** In place of a request that could not be parsed. */
const unreadable: RequestHead = { method: 'GET', target: '/', minor: 1, fields: [], options: [] };
const none = Buffer.alloc(0);
