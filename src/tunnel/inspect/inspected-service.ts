import type { Duplex } from 'node:stream';
import type { HttpForwarder } from '../services/http/http-forwarder.js';
import type { LocalService, ServedOutcome, ServiceContext, VisitorFacts } from '../services/local-service.js';
import { defaultInspectPort, InspectServer } from './inspect-server.js';
import { Inspector } from './inspector.js';
import type { Recorder } from './recorder.js';

export interface InspectOptions {
  /** Port of the page, on 127.0.0.1; 4040 by default, another one where that is taken. */
  port?: number | undefined;
  /** Whether there is a page; on by default. Without one, `Tunnel.inspector` alone shows what came in. */
  hasPage?: boolean | undefined;
}

/** A service whose requests are recorded, with a page for its owner. */
export class InspectedService implements LocalService {
  #inspector: Inspector | undefined;

  constructor(
    private readonly forwarder: HttpForwarder,
    private readonly recorder: Recorder,
    private readonly options: InspectOptions,
  ) {}

  get upstreams(): LocalService['upstreams'] {
    return this.forwarder.upstreams;
  }

  readonly takesRequests = true;

  /** Undefined before the start. */
  get inspector(): Inspector | undefined {
    return this.#inspector;
  }

  /** @see LocalService */
  async start(context: ServiceContext): Promise<void> {
    await this.forwarder.start(context);
    const { signal, tell } = context;
    this.#inspector = new Inspector(this.recorder, this.forwarder, signal);
    if (this.options.hasPage === false) return;
    const server = new InspectServer(this.#inspector);
    try {
      const url = await server.start(this.options.port ?? defaultInspectPort, signal);
      tell({ state: 'inspecting', message: `requests are shown at ${url}` });
    } catch (error) {
      const message = `requests cannot be shown: no port could be opened (${(error as Error).message})`;
      tell({ state: 'inspecting', message, error: error as Error });
    }
  }

  /** @see LocalService */
  async serve(visitor: Duplex, facts: VisitorFacts, signal: AbortSignal): Promise<ServedOutcome> {
    return await this.forwarder.serve(visitor, facts, signal);
  }
}
