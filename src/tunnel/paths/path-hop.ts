import { randomBytes } from 'node:crypto';
import { EventEmitter, once, setMaxListeners } from 'node:events';
import type { Duplex } from 'node:stream';
import { ApiError, isApiError } from '../../contract/errors.js';
import type { components } from '../../contract/operations.js';
import { hopTokenBytes } from '../../protocol/hop-header.js';
import { peerProtocol, portalHeaders } from '../../protocol/headers.js';
import { createPortalClient, type PortalClient } from '../../sdk/calls/client.js';
import { NetworkError } from '../../sdk/calls/errors.js';
import type { Identity } from '../../sdk/identity/identity.js';
import { LeaseKeeper, type Registration } from '../../sdk/lease/lease-keeper.js';
import type { LeaseCall } from '../../sdk/lease/retry-policy.js';
import { RelayTransport, type RelayTransportOptions } from '../../sdk/transport/relay-transport.js';
import { WebSocketStream, maxWebSocketMessageBytes } from '../../streams/websocket-stream.js';
import { dialRelay } from '../carriers/dial.js';
import { openWebSocket } from '../carriers/open-websocket.js';

/** Most connections for calls to one relay of a path: each takes one at every relay after it. */
export const maxPathConnections = 5;

export type Forward = NonNullable<components['schemas']['Hop']['forward']>;

export interface PathHopOptions {
  relay: URL;
  dialing: RelayTransportOptions;
  identity: Identity;
  name: string;
  ttl?: number | undefined;
  sessionWait?: number | undefined;
  /** Where its visitors go; absent for the last. */
  forward?: ((signal: AbortSignal) => Promise<Forward>) | undefined;
}

/** A relay of a path refuses the tunnel. */
export class PathError extends Error {
  override readonly name = 'PathError';

  constructor(
    readonly relay: URL,
    cause: Error,
  ) {
    super(`${relay.host}: ${cause.message}`, { cause });
  }
}

export interface PathHopEvents {
  registered: [];
  lost: [error: Error];
  waiting: [call: LeaseCall, error: Error, delayMs: number];
}

/** A relay of a path that visitors come to from another relay: its lease, and the way through it. */
export class PathHop extends EventEmitter<PathHopEvents> {
  readonly relay: URL;
  readonly transport: RelayTransport;
  readonly client: PortalClient;
  /** What the relay before it sends. */
  readonly token = randomBytes(hopTokenBytes).toString('base64url');
  readonly #keeper: LeaseKeeper;

  constructor({ relay, dialing, identity, name, ttl, sessionWait, forward }: PathHopOptions) {
    super();
    this.relay = relay;
    this.transport = new RelayTransport({ ...dialing, maxConnections: maxPathConnections });
    this.client = createPortalClient({ relay, fetch: this.transport.fetch });
    this.#keeper = new LeaseKeeper({
      client: this.client,
      identity,
      name,
      ttl,
      sessionWait,
      // Whoever reads the relay's listings learns nothing of it.
      metadata: { hide: true },
      prepare: (signal) => assertHops(this.client, signal),
      hop: async (signal) => {
        const accept = { token: this.token };
        return forward ? { accept, forward: await forward(signal) } : { accept };
      },
    });
    // One listener per connection that waits for the lease.
    setMaxListeners(0, this.#keeper);
    this.#keeper.on('registered', () => this.emit('registered'));
    this.#keeper.on('lost', (_registration, error) => this.emit('lost', error));
    this.#keeper.on('waiting', (call, error, delayMs) => this.emit('waiting', call, error, delayMs));
  }

  /** Keeps its lease until the signal is aborted. @throws PathError with the fatal error */
  async run(signal: AbortSignal): Promise<void> {
    try {
      await this.#keeper.run(signal);
    } catch (error) {
      throw new PathError(this.relay, error as Error);
    }
  }

  /** Looks at once whether the lease is still there. */
  renewNow(): void {
    this.#keeper.renewNow();
  }

  /** Unregisters the lease. Connections through the relay go on for a while. */
  async unregister(): Promise<void> {
    await this.#keeper.unregister();
  }

  /** The lease, once there is one. @throws the signal's reason */
  async registration(signal: AbortSignal): Promise<Registration> {
    signal.throwIfAborted();
    while (this.#keeper.current === undefined) await once(this.#keeper, 'registered', { signal });
    return this.#keeper.current;
  }

  /** Reports that it has refused a token. */
  refused(registration: Registration, error: ApiError): void {
    if (isApiError(error, 'lease_rejected')) this.#keeper.renewNow();
    else if (['unauthorized', 'lease_not_found', 'hostname_conflict'].includes(error.code))
      this.#keeper.refused(registration, 'connect', error);
  }

  /**
   * A connection to the API of another relay, through this one.
   * @param address the other's signing address
   * @throws NetworkError; AnswerError; the signal's reason when aborted
   */
  async openPeer(address: string, signal: AbortSignal): Promise<Duplex> {
    const registration = await this.registration(signal);
    const request = {
      relay: this.relay,
      accessToken: registration.accessToken,
      protocol: peerProtocol,
      maxMessageBytes: maxWebSocketMessageBytes,
      headers: { [portalHeaders.peer]: address },
    };
    const connect = (dialSignal: AbortSignal) => this.transport.connect(this.relay, dialSignal);
    try {
      return await dialRelay(connect, this.relay, signal, async (socket) => {
        const { webSocket } = await openWebSocket(socket, request);
        return new WebSocketStream(webSocket, socket).on('error', () => undefined);
      });
    } catch (error) {
      if (!isApiError(error)) throw error;
      this.refused(registration, error);
      // What this relay refuses is not what the one behind it says.
      throw new NetworkError('unreachable', `${this.relay.host} leads no further: ${error.message}`, { cause: error });
    }
  }
}

/** @throws ApiError `feature_unavailable` when the relay has no overlay */
export async function assertHops(client: PortalClient, signal: AbortSignal): Promise<void> {
  const { features = [] } = await client.getDomain({ signal });
  if (!features.includes('hops'))
    throw new ApiError('feature_unavailable', `${client.relay.host} has no overlay: it cannot be part of a path`);
}
