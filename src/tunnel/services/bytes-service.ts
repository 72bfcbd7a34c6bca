import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { unavailableAnswer } from './http/local-answer.js';
import { serveAnswer } from './http/serve-answer.js';
import type { LocalService, ServedOutcome, VisitorFacts } from './local-service.js';
import { splice } from './upstream/splice-service.js';
import type { Upstream } from './upstream/upstream.js';

export interface BytesOptions {
  /** The protocol is unknown: while the service is down visitors are disconnected instead of shown a page. */
  raw?: true;
}

/** Joins visitors' bytes with those of one service. */
export class BytesService implements LocalService {
  readonly takesRequests = false;

  constructor(
    private readonly upstream: Upstream,
    private readonly options: BytesOptions = {},
  ) {}

  get upstreams(): Upstream[] {
    return [this.upstream];
  }

  /** @see LocalService */
  async serve(visitor: Duplex, { addresses }: VisitorFacts, signal: AbortSignal): Promise<ServedOutcome> {
    let socket: Socket;
    try {
      socket = await this.upstream.connect(addresses, signal);
    } catch {
      signal.throwIfAborted();
      if (this.options.raw) visitor.destroy();
      else await serveAnswer(visitor, unavailableAnswer);
      return { received: 0, sent: 0, unavailable: true };
    }
    const cut = () => socket.destroy();
    signal.addEventListener('abort', cut, { once: true });
    try {
      return await splice(visitor, socket);
    } finally {
      signal.removeEventListener('abort', cut);
    }
  }
}
