import type { Duplex } from 'node:stream';
import type { RequestFacts } from './forwarded-headers.js';
import type { Field } from './message/fields.js';
import type { RequestHead, ResponseHead } from './message/message-head.js';

/** Told of every request, as the visitor sent it. */
export interface HttpObserver {
  /** It reads WebSocket messages, which it could not do if they were compressed. */
  readonly readsMessages: boolean;
  begin(request: RequestHead, facts: RequestFacts): ExchangeWatch;
}

/** Told of one request and its response. Chunks must not be changed, and copied where they are kept. */
export interface ExchangeWatch {
  /** Fields that the service gets in addition. */
  added(fields: readonly Field[]): void;
  requestData(data: Buffer): void;
  /** @param isLocal the tunnel answers itself */
  response(head: Pick<ResponseHead, 'status' | 'reason' | 'fields'>, isLocal: boolean): void;
  responseData(data: Buffer): void;
  /** The connection is a WebSocket from here on. */
  switched(visitor: Duplex, service: Duplex): void;
  /** @param error why it did not end well */
  ended(error?: Error): void;
}
