import type { Response } from 'express';
import { repeat } from '../util/boundary.js';

/** So that either side notices when the other is gone. */
const heartbeatMs = 15_000;
/** A client that has so much to read is disconnected. A whole log is less. */
const maxUnreadBytes = 8_388_608;

/** Server-sent events (WHATWG HTML, 9.2) as the answer to a request, as long as its credential serves. */
export class EventStream {
  readonly #mayGoOn: () => boolean;

  /** @param mayGoOn whether the credential still serves; asked at each event and heartbeat */
  constructor(
    private readonly response: Response,
    mayGoOn: () => boolean = () => true,
  ) {
    this.#mayGoOn = mayGoOn;
    // Always UTF-8: express would add a parameter.
    response.status(200).setHeader('Content-Type', 'text/event-stream');
    // Of a HEAD request nothing follows.
    if (response.req.method === 'HEAD') response.end();
    else response.flushHeaders();
    const heartbeat = repeat('event stream', () => this.#write(': still here\n\n'), heartbeatMs);
    // boundary: cannot throw.
    response.once('close', () => clearInterval(heartbeat));
  }

  /** @param data without line breaks in it, once it is JSON */
  send(event: string, data: unknown): void {
    this.#write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  end(): void {
    this.response.end();
  }

  #write(text: string): void {
    if (!this.#mayGoOn()) this.end();
    else if (this.response.writableLength > maxUnreadBytes) this.response.destroy();
    else if (!this.response.writableEnded) this.response.write(text);
  }
}
