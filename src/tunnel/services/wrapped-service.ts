import type { Duplex } from 'node:stream';
import type { LocalService, ServedOutcome, ServiceContext, VisitorFacts } from './local-service.js';

/** A service with something in front of it. */
export abstract class WrappedService implements LocalService {
  constructor(protected readonly service: LocalService) {}

  get upstreams(): LocalService['upstreams'] {
    return this.service.upstreams;
  }

  get takesRequests(): boolean {
    return this.service.takesRequests;
  }

  /** @see LocalService */
  async start(context: ServiceContext): Promise<void> {
    await this.service.start?.(context);
  }

  abstract serve(visitor: Duplex, facts: VisitorFacts, signal: AbortSignal): Promise<ServedOutcome>;
}
