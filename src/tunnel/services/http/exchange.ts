import type { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
import { background } from '../../../util/boundary.js';
import { splice, type SpliceOutcome } from '../upstream/splice-service.js';
import {
  ambiguity,
  endToEnd,
  forwardedTrailers,
  leadsHere,
  type RequestFacts,
  requestFields,
} from './forwarded-headers.js';
import type { BodyCheck, Gate, Verdict } from './gate.js';
import { HeldBody } from './held-body.js';
import { type LocalAnswer, plainAnswer, unavailableAnswer } from './local-answer.js';
import { type Field, field, valueOf } from './message/fields.js';
import { BodyReader, type Framing, requestFraming, writeChunk } from './message/message-body.js';
import { MessageError, type RequestHead, type ResponseHead, writeHead } from './message/message-head.js';
import type { ExchangeWatch, HttpObserver } from './observer.js';
import { Origins } from './origins.js';
import type { Refusals } from './refusals.js';
import type { Answerer, Place, Routes } from './routes.js';
import type { ResponseListener, ServiceConnection } from './service-connection.js';

export interface ExchangeOptions {
  routes: Routes;
  gate?: Gate | undefined;
  observer?: HttpObserver | undefined;
  refusals?: Refusals | undefined;
  /** Host header for services, in place of the visitor's; `rewrite` for each service's own address. */
  hostHeader?: string | undefined;
}

/** The visitor's connection, as an exchange sees it. */
export interface ExchangeHost {
  readonly facts: RequestFacts;
  readonly outcome: SpliceOutcome;
  /** The connection to a service, if there is one that is free. */
  serviceFor(to: Answerer): ServiceConnection | undefined;
  /** @throws what the service's `connect` throws */
  connect(to: Answerer): Promise<ServiceConnection>;
  /** Adds bytes for the visitor, to be written by `flush`; a string holds a byte a character. */
  put(bytes: Buffer | string): void;
  /** @returns whether more may follow at once; if not, after `visitorDrained` */
  flush(): boolean;
  /** Goes on with the visitor's bytes, as far as they can be used now. */
  advance(): void;
  /** The response is complete, and the rest of the request is awaited. */
  answered(): void;
  /** The exchange is over. @param isLast the connection ends with it */
  finished(isLast: boolean): void;
  /** The response cannot be completed: the visitor must see that it is cut. */
  cut(error: Error): void;
  /** Hands the visitor's stream over to another protocol, and lets go of the connection to the service. */
  switchTo(service: ServiceConnection | undefined, join: (visitor: Duplex) => Promise<unknown>): void;
}

/** From the end of one response, or the start of the connection, to the end of the next request head. */
export const httpIdleTimeoutMs = 75_000;

/** Idempotent methods (RFC 9110 9.2.2) without a body. */
const repeatable = new Set(['GET', 'HEAD', 'OPTIONS']);

/** One request and its response. */
export class Exchange implements ResponseListener {
  readonly #body: BodyReader;
  #watch: ExchangeWatch | undefined;
  readonly #fault: string | undefined;
  #place: Place | undefined;
  #isReused = false;
  /** Fields that the service gets in addition. */
  readonly #added: Field[] = [];
  #upgrades = false;
  /** The status of a response that may refuse the public name. */
  #refused: number | undefined;
  /** The body, where it is checked before it is forwarded. */
  #held: HeldBody | undefined;
  /** The same, once it has come. */
  #whole: Buffer | undefined;
  #service: ServiceConnection | undefined;
  #origins: Origins | undefined;
  #response: 'awaited' | 'begun' | 'over' = 'awaited';
  /** How the visitor sees the end of the response. */
  #framing: Framing = 0;
  #isBlocked = false;
  #hasContinued = false;
  #mayRepeat: boolean;
  /** The connection ends with this response. */
  #isLast: boolean;
  /** What is left of the request's body is of no interest. */
  #discards = false;
  #isOver = false;

  constructor(
    private readonly connection: ExchangeHost,
    private request: RequestHead,
    private readonly options: ExchangeOptions,
  ) {
    const fault = ambiguity(request);
    this.#body = new BodyReader(fault === undefined ? requestFraming(request) : 0);
    this.#mayRepeat = repeatable.has(request.method) && this.#body.isOver;
    const { minor, options: connectionOptions } = request;
    const keeps = minor === 1 ? !connectionOptions.includes('close') : connectionOptions.includes('keep-alive');
    this.#isLast = !keeps || fault !== undefined;
    this.#fault = fault;
  }

  /** Whether the response is complete; of the request, something may be missing. */
  get isAnswered(): boolean {
    return this.#response === 'over';
  }

  /** Whether bytes of the request can be used now. */
  get wantsBody(): boolean {
    return !this.#body.isOver && !this.#isBlocked && (this.#discards || !!this.#held || !!this.#service);
  }

  begin(): void {
    this.#watch = this.options.observer?.begin(this.request, this.connection.facts);
    const { hostname } = this.connection.facts;
    if (this.#fault !== undefined) return this.#answer(plainAnswer(400, `This request is refused: ${this.#fault}.\n`));
    if (!leadsHere(this.request, hostname)) {
      this.#isLast = true;
      const text = `This connection is for ${hostname}, and the request names another host.\n`;
      return this.#answer(plainAnswer(421, text));
    }
    this.#follow(this.options.gate?.check(this.request, this.connection.facts) ?? {});
  }

  #follow(verdict: Verdict | Promise<Verdict>): void {
    if (!(verdict instanceof Promise)) return this.#decided(verdict);
    background(
      'visitor request',
      async () => {
        const decided = await verdict;
        if (this.#isOver) return;
        this.#decided(decided);
        this.connection.advance();
      },
      () => this.connection.cut(new Error('the request failed')),
    );
  }

  #decided({ answer, isLast = false, request, fields = [], body }: Verdict): void {
    this.#isLast ||= isLast;
    if (answer) return this.#answer(answer);
    if (request) this.request = request;
    this.#added.push(...fields);
    if (fields.length > 0) this.#watch?.added(fields);
    if (body) return this.#hold(body);
    const place = this.options.routes.find(this.request.target);
    if (!place) return this.#answer(plainAnswer(404, 'Nothing is served at this path.\n'));
    this.#forward(place);
  }

  /** The visitor's bytes are not valid HTTP, or too many for a request's head. */
  refuse(error: MessageError): void {
    this.#isLast = true;
    this.#answer(plainAnswer(error.isTooLarge ? 431 : 400, `This request is refused: ${error.message}.\n`));
  }

  /** The visitor has left. */
  abandon(): void {
    if (this.#response !== 'over') this.#watch?.ended(new Error('the visitor left before the response was complete'));
    this.#end();
    this.#service?.close();
  }

  /** Nothing is held any more. */
  #end(): void {
    this.#isOver = true;
    this.#held?.release();
  }

  #hold(check: BodyCheck): void {
    this.#held = new HeldBody(check, () => this.connection.cut(new Error('the body did not come in time')));
    if (this.#body.isOver) return this.#bodyComplete(this.#held);
    if (expects(this.request) && this.request.minor === 1) {
      this.connection.put(headText({ status: 100, reason: 'Continue' }, []));
      this.connection.flush();
    }
    this.connection.advance();
  }

  #keep(data: Buffer, held: HeldBody): void {
    if (!held.add(data))
      return this.#answer(plainAnswer(413, `This request is refused: its body is larger than ${held.most} bytes.\n`));
    if (this.#body.isOver) this.#bodyComplete(held);
  }

  #bodyComplete(held: HeldBody): void {
    const { whole, verdict } = held.complete();
    this.#whole = whole;
    this.#follow(verdict);
  }

  #forward(place: Place): void {
    const { to } = place;
    const service = this.connection.serviceFor(to);
    if (service) return this.#send(place, service, true);
    background(
      'visitor request',
      async () => {
        let opened: ServiceConnection;
        try {
          opened = await this.connection.connect(to);
        } catch (error) {
          if (this.#isOver) return;
          this.connection.outcome.error ??= error as Error;
          return this.#answer(unavailableAnswer);
        }
        if (this.#isOver) return opened.close();
        this.#send(place, opened, false);
        this.connection.advance();
      },
      () => this.connection.cut(new Error('the request failed')),
    );
  }

  #send(place: Place, service: ServiceConnection, isReused: boolean): void {
    const { request } = this;
    const { to } = place;
    const upgrades =
      to.switchesProtocols &&
      valueOf(request.fields, 'upgrade')?.toLowerCase() === 'websocket' &&
      request.options.includes('upgrade');
    if (upgrades && !this.#body.isOver)
      return this.#answer(plainAnswer(400, 'This request is refused: an upgrade with a body.\n'));
    // What follows such a request may be no HTTP.
    if (upgrades) this.#isLast = this.#upgrades = true;
    this.#service = service;
    this.#place = place;
    this.#isReused = isReused;
    let fields = requestFields(request, this.connection.facts, {
      hostHeader: this.#hostHeaderFor(to),
      prefix: place.stripped,
      origins: this.#originsFor(to),
    });
    fields.push(...this.#added);
    const whole = this.#whole;
    if (whole) {
      fields = fields.filter(({ key }) => !['content-length', 'transfer-encoding', 'expect', 'trailer'].includes(key));
      fields.push(field('Content-Length', String(whole.length)));
    }
    if (upgrades) {
      if (this.options.observer?.readsMessages) fields = fields.filter(({ key }) => key !== 'sec-websocket-extensions');
      fields.push(field('Connection', 'Upgrade'), field('Upgrade', 'websocket'));
    }
    service.ask(
      writeHead(`${request.method} ${place.url} HTTP/1.1`, fields),
      { method: request.method, upgrades, hasBody: whole !== undefined || !this.#body.isOver },
      this,
    );
    if (!whole) return;
    if (whole.length > 0) service.write(whole);
    service.endRequest();
  }

  #hostHeaderFor(to: Answerer): string | undefined {
    return this.options.hostHeader === 'rewrite' ? to.origin.host : this.options.hostHeader;
  }

  #originsFor(to: Answerer): Origins | undefined {
    const host = valueOf(this.request.fields, 'host') ?? this.connection.facts.hostname;
    if (this.options.hostHeader !== 'rewrite' || host === undefined) return undefined;
    this.#origins = new Origins(host, to.origin);
    return this.#origins;
  }

  /** @returns what follows the request */
  readBody(bytes: Buffer): Buffer {
    let read: { data: Buffer; rest: Buffer };
    try {
      read = this.#body.read(bytes);
    } catch (error) {
      if (!(error instanceof MessageError)) throw error;
      this.#service?.close();
      if (this.#response === 'awaited') this.refuse(error);
      else this.connection.cut(error);
      return none;
    }
    const isChunked = this.#body.framing === 'chunked';
    const { data, rest } = read;
    if (data.length > 0) this.#watch?.requestData(data);
    if (this.#discards) {
      // Read to its end, and no more.
    } else if (this.#held) this.#keep(data, this.#held);
    else if (this.#service) {
      if (data.length > 0 && !this.#service.write(isChunked ? writeChunk(data) : data)) this.#isBlocked = true;
      if (this.#body.isOver) {
        if (isChunked) this.#service.write(writeHead('0', forwardedTrailers(this.#body.trailers)));
        this.#service.endRequest();
      }
    }
    if (this.#body.isOver && this.#response === 'over') this.#over();
    return rest;
  }

  /** @see ResponseListener */
  drained(): void {
    this.#isBlocked = false;
    this.connection.advance();
  }

  /** The visitor takes more of the response. */
  visitorDrained(): void {
    this.#service?.resume();
  }

  /** @see ResponseListener */
  interim(head: ResponseHead): void {
    if (head.status === 100) this.#hasContinued = true;
    if (this.request.minor === 0 || this.#response !== 'awaited') return;
    this.connection.put(headText(head, this.#mapped(endToEnd(head))));
  }

  /** @see ResponseListener */
  head(head: ResponseHead, framing: Framing): void {
    this.#response = 'begun';
    const is11 = this.request.minor === 1;
    this.#framing = typeof framing === 'number' ? framing : is11 ? 'chunked' : 'close';
    const isChunked = this.#framing === 'chunked';
    const fields = this.#mapped(endToEnd(head)).filter(
      ({ key }) => key !== 'content-length' && (isChunked || key !== 'trailer'),
    );
    // A response without a body may still tell the length that another one would have.
    const length = typeof framing === 'number' ? (framing > 0 ? framing : lengthIn(head)) : undefined;
    if (length !== undefined && head.status !== 204) fields.push(field('Content-Length', String(length)));
    if (isChunked) fields.push(field('Transfer-Encoding', 'chunked'));
    // The visitor may then send the body or not, and it could not be told from the next request.
    if (expects(this.request) && !this.#hasContinued && !this.#body.isOver) this.#isLast = true;
    if (this.#framing === 'close') this.#isLast = true;
    this.connection.put(headText(head, [...fields, ...this.#connectionFields()]));
    this.#watch?.response(head, false);
    const to = this.#place?.to;
    if (to && this.options.refusals?.concerns(to, head.status)) {
      this.#refused = head.status;
      if (this.#upgrades) this.#lookAtRefusal(none);
    }
  }

  #lookAtRefusal(data: Buffer): void {
    if (this.#refused === undefined || !this.#place) return;
    this.options.refusals?.look(this.#place.to, this.#refused, data, this.#upgrades);
    this.#refused = undefined;
  }

  #connectionFields(): Field[] {
    if (this.#isLast) return [closing];
    return [keeping, keepingFor];
  }

  /** @see ResponseListener */
  data(data: Buffer): void {
    this.#watch?.responseData(data);
    this.#lookAtRefusal(data);
    if (this.#framing !== 'chunked') return this.connection.put(data);
    this.connection.put(`${data.length.toString(16)}\r\n`);
    this.connection.put(data);
    this.connection.put('\r\n');
  }

  /** @see ResponseListener */
  flush(): boolean {
    return this.connection.flush();
  }

  /** @see ResponseListener */
  ended(trailers: Field[]): void {
    if (this.#framing === 'chunked') this.connection.put(writeHead('0', forwardedTrailers(trailers)));
    this.#responseOver();
  }

  /** @see ResponseListener */
  switched(head: ResponseHead, socket: Duplex): void {
    this.#end();
    const fields = this.#mapped(endToEnd(head));
    fields.push(field('Connection', 'Upgrade'), field('Upgrade', 'websocket'));
    this.connection.put(headText(head, fields));
    this.#watch?.response(head, false);
    this.connection.switchTo(this.#service, async (visitor) => {
      this.#watch?.switched(visitor, socket);
      const joined = splice(visitor, socket as Socket);
      // It may have ended before there was anybody to tell.
      if (visitor.readableEnded) socket.end();
      const { error, received, sent } = await joined;
      const { outcome } = this.connection;
      outcome.received += received;
      outcome.sent += sent;
      outcome.error ??= error;
      this.#watch?.ended(error);
    });
  }

  /** @see ResponseListener */
  failed(error: Error): void {
    const service = this.#service;
    if (this.#isOver) return;
    if (this.#response === 'over') {
      // It has answered, and takes no more of the request.
      this.#discards = true;
      this.#isBlocked = false;
      this.connection.advance();
      return;
    }
    if (this.#isReused && this.#mayRepeat && service?.mayBeStale && this.#place) {
      this.#mayRepeat = false;
      this.#service = undefined;
      return this.#forward(this.#place);
    }
    this.connection.outcome.error ??= error;
    if (this.#response === 'begun') {
      this.#watch?.ended(error);
      return this.connection.cut(error);
    }
    const text =
      error instanceof MessageError
        ? `The service behind this name did not answer in HTTP: ${error.message}. Its owner can expose its bytes as they are, by --raw.\n`
        : 'The service behind this name broke off before its response was complete.\n';
    this.#answer(plainAnswer(502, text));
  }

  #mapped(fields: Field[]): Field[] {
    const origins = this.#origins;
    return origins ? fields.map((each) => origins.ofResponse(each) ?? each) : fields;
  }

  #answer({ status, reason, fields, body }: LocalAnswer): void {
    this.#discards = true;
    this.#isBlocked = false;
    this.#service = undefined;
    if (!this.#body.isOver) this.#isLast = true;
    this.connection.put(headText({ status, reason }, [...fields, ...this.#connectionFields()]));
    if (this.request.method !== 'HEAD') this.connection.put(body);
    this.#watch?.response({ status, reason, fields }, true);
    this.#watch?.responseData(body);
    this.#responseOver();
  }

  #responseOver(): void {
    this.#response = 'over';
    this.#watch?.ended();
    if (this.#body.isOver || this.#isLast) return this.#over();
    this.connection.answered();
    this.connection.flush();
    if (!this.#service || this.#service.isClosed) this.#discards = true;
    this.connection.advance();
  }

  #over(): void {
    if (this.#isOver) return;
    this.#end();
    if (!this.#body.isOver) this.#service?.close();
    this.connection.finished(this.#isLast);
  }
}

const none = Buffer.alloc(0);
const closing = field('Connection', 'close');
const keeping = field('Connection', 'keep-alive');
const keepingFor = field('Keep-Alive', `timeout=${httpIdleTimeoutMs / 1000}`);

function headText({ status, reason }: Pick<ResponseHead, 'status' | 'reason'>, fields: readonly Field[]): string {
  return writeHead(`HTTP/1.1 ${status} ${reason}`, fields);
}

function lengthIn(head: ResponseHead): number | undefined {
  const value = valueOf(head.fields, 'content-length');
  return value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : undefined;
}

function expects({ fields }: RequestHead): boolean {
  return valueOf(fields, 'expect') !== undefined;
}
