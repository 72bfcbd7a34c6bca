import type { Duplex } from 'node:stream';
import type { ProxiedAddresses } from '../../protocol/proxy-protocol.js';
import type { GateContext } from './http/gate.js';
import type { SpliceOutcome } from './upstream/splice-service.js';
import type { Upstream } from './upstream/upstream.js';

/** What is known about a visitor. */
export interface VisitorFacts {
  addresses?: ProxiedAddresses | undefined;
  /** The public name that the visitor connected to; absent on a TCP port. */
  hostname?: string | undefined;
  /** What the visitor speaks, as ALPN has it. */
  protocol?: string | undefined;
}

export interface ServedOutcome extends SpliceOutcome {
  /** The service could not be reached. */
  unavailable?: true;
  /** The visitor's address is not allowed. */
  refused?: true;
}

export interface ServiceContext extends GateContext {
  /** Aborted when the tunnel closes. */
  signal: AbortSignal;
  /** Tells the owner something. */
  tell(status: { state: 'inspecting'; message: string; error?: Error }): void;
}

/** What is served locally behind the tunnel. */
export interface LocalService {
  /** The services that it connects to. */
  readonly upstreams: readonly Upstream[];
  /** Whether it gets requests of HTTP, and not bytes; it may be found out later. */
  readonly takesRequests: boolean;
  /** Called once, before there are visitors. */
  start?(context: ServiceContext): Promise<void>;
  /**
   * Serves one visitor until the connection closes. Rejects only with the signal's reason; the caller must then destroy
   * the stream.
   */
  serve(visitor: Duplex, facts: VisitorFacts, signal: AbortSignal): Promise<ServedOutcome>;
}
