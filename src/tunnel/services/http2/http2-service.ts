import type { Duplex } from 'node:stream';
import type { ServedOutcome, VisitorFacts } from '../local-service.js';
import { WrappedService } from '../wrapped-service.js';
import { Http2Visitors } from './http2-visitors.js';

/** A service whose visitors may speak HTTP/2, where it gets requests. */
export class Http2Service extends WrappedService {
  readonly #visitors = new Http2Visitors();

  /** @see LocalService */
  async serve(visitor: Duplex, facts: VisitorFacts, signal: AbortSignal): Promise<ServedOutcome> {
    if (facts.protocol !== 'h2') return await this.service.serve(visitor, facts, signal);
    const cut = () => visitor.destroy();
    signal.addEventListener('abort', cut, { once: true });
    try {
      const address = facts.addresses?.source.address;
      return await this.#visitors.serve(visitor, address, (pipe) => this.service.serve(pipe, facts, signal));
    } finally {
      signal.removeEventListener('abort', cut);
    }
  }
}
