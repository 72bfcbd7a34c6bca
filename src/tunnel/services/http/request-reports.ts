import { guard } from '../../../util/boundary.js';
import type { RequestFacts } from './forwarded-headers.js';
import type { RequestHead } from './message/message-head.js';
import type { ExchangeWatch, HttpObserver } from './observer.js';

/** The outcome of one request. */
export interface RequestReport {
  hostname: string | undefined;
  /** The visitor's address, where it is known. */
  address: string | undefined;
  method: string;
  /** As the visitor sent it, each byte a character; with the query. */
  target: string;
  /** Absent when there was no response. */
  status: number | undefined;
  /** Until the response was complete; of a WebSocket, until it was opened. */
  durationMs: number;
  /** Why the response is not complete. */
  error?: Error | undefined;
}

/** Reports each request when it is over. */
export class RequestReports implements HttpObserver {
  readonly readsMessages = false;

  readonly #report: (report: RequestReport) => void;

  constructor(report: (report: RequestReport) => void) {
    this.#report = guard('visitor request', report);
  }

  /** @see HttpObserver */
  begin({ method, target }: RequestHead, { address, hostname }: RequestFacts): ExchangeWatch {
    const startedAt = performance.now();
    let status: number | undefined;
    let isOver = false;
    const end = (error?: Error) => {
      if (isOver) return;
      isOver = true;
      const durationMs = performance.now() - startedAt;
      this.#report({ hostname, address, method, target, status, durationMs, error });
    };
    return {
      added: ignore,
      requestData: ignore,
      responseData: ignore,
      response: (head) => (status = head.status),
      switched: () => end(),
      ended: end,
    };
  }
}

/** Several observers as one. */
export function observeTogether(observers: HttpObserver[]): HttpObserver | undefined {
  if (observers.length < 2) return observers[0];
  return {
    readsMessages: observers.some(({ readsMessages }) => readsMessages),
    begin(request, facts) {
      const watches = observers.map((observer) => observer.begin(request, facts));
      const all =
        <Args extends unknown[]>(tell: (watch: ExchangeWatch, ...args: Args) => void) =>
        (...args: Args) =>
          watches.forEach((watch) => tell(watch, ...args));
      return {
        added: all((watch, fields) => watch.added(fields)),
        requestData: all((watch, data) => watch.requestData(data)),
        response: all((watch, head, isLocal) => watch.response(head, isLocal)),
        responseData: all((watch, data) => watch.responseData(data)),
        switched: all((watch, visitor, service) => watch.switched(visitor, service)),
        ended: all((watch, error) => watch.ended(error)),
      };
    },
  };
}

function ignore(): void {}
