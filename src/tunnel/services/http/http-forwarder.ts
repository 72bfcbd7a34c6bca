import type { Duplex } from 'node:stream';
import type { LocalService, ServedOutcome, ServiceContext, VisitorFacts } from '../local-service.js';
import type { Upstream } from '../upstream/upstream.js';
import type { ExchangeOptions } from './exchange.js';
import type { RequestFacts } from './forwarded-headers.js';
import type { Answerer } from './routes.js';
import { VisitorConnection } from './visitor-connection.js';

/**
 * Forwards visitors' requests to the service one by one, so that headers can be set. Every message is parsed and written
 * anew, so that the service sees the same requests as this proxy; bodies are streamed.
 */
export class HttpForwarder implements LocalService {
  readonly takesRequests = true;

  /** @param upstreams the services that the routes lead to */
  constructor(
    readonly upstreams: readonly Upstream[],
    private readonly options: ExchangeOptions,
  ) {}

  /** @see LocalService */
  async start(context: ServiceContext): Promise<void> {
    for (const upstream of this.upstreams) upstream.follow(context.signal);
    await this.options.gate?.start?.(context);
  }

  /** Serves a visitor with other options, as the owner is who sends a request again. */
  async serveAgain(
    visitor: Duplex,
    facts: RequestFacts,
    options: Pick<ExchangeOptions, 'gate' | 'observer'>,
    signal: AbortSignal,
  ): Promise<ServedOutcome> {
    const open = (to: Answerer) => to.connect(undefined, signal);
    return await new VisitorConnection(visitor, facts, open, { ...this.options, ...options }).over;
  }

  /** @see LocalService; never rejects */
  async serve(visitor: Duplex, { addresses, hostname }: VisitorFacts, signal: AbortSignal): Promise<ServedOutcome> {
    const facts = { address: addresses?.source.address, hostname };
    const open = (to: Answerer) => to.connect(addresses, signal);
    const cut = () => visitor.destroy();
    signal.addEventListener('abort', cut, { once: true });
    try {
      return await new VisitorConnection(visitor, facts, open, this.options).over;
    } finally {
      signal.removeEventListener('abort', cut);
    }
  }
}
