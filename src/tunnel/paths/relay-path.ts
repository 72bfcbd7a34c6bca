import { randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import { isApiError } from '../../contract/errors.js';
import type { components } from '../../contract/operations.js';
import { helloKeyBytes } from '../../streams/sealed-hello.js';
import { NetworkError } from '../../sdk/calls/errors.js';
import type { Identity } from '../../sdk/identity/identity.js';
import type { LeaseCall } from '../../sdk/lease/retry-policy.js';
import type { RelayTransport, RelayTransportOptions } from '../../sdk/transport/relay-transport.js';
import type { Carrier, DialRequest, OpenedSession } from '../carriers/carrier.js';
import { type HopIdentity, hopIdentities } from './hop-identity.js';
import { type Forward, PathHop } from './path-hop.js';
import { RelayDirectory } from './relay-directory.js';

/** Deadline for one relay to say that it is there. */
const askTimeoutMs = 3_000;

export interface RelayPathOptions {
  /** Entry first, two at least. */
  relays: readonly URL[];
  /** How the last one is connected to; the others are reached through those after them. */
  dialing: RelayTransportOptions;
  /** Of the tunnel. */
  identity: Identity;
  name: string;
  ttl?: number | undefined;
  sessionWait?: number | undefined;
  /** Have the visitors' addresses passed on, where operators allow it. */
  passVisitorAddress?: boolean | undefined;
}

export interface RelayPathEvents {
  /** A relay other than the entry. */
  registered: [relay: URL];
  lost: [relay: URL, error: Error];
  waiting: [relay: URL, call: LeaseCall, error: Error, delayMs: number];
}

/** The relays of a path behind the entry: their leases, and the ways through them. */
export class RelayPath extends EventEmitter<RelayPathEvents> {
  /** How the entry is connected to: through all others. */
  readonly dialing: RelayTransportOptions;
  /** With it the entry seals what visitors send first, and nobody behind it sees the name. */
  readonly helloKey = randomBytes(helloKeyBytes);
  readonly #hops: readonly PathHop[];
  readonly #directory: RelayDirectory;
  readonly #entry: URL;
  readonly #passVisitorAddress: boolean;

  private constructor(options: RelayPathOptions, identities: readonly HopIdentity[]) {
    super();
    const { relays, dialing, ttl, sessionWait } = options;
    const [entry, ...rest] = relays as [URL, ...URL[]];
    this.#entry = entry;
    this.#passVisitorAddress = options.passVisitorAddress ?? false;
    const { ca, secureContext } = dialing;
    const through = (relay: URL, next: PathHop) => ({
      ca,
      secureContext,
      through: (signal: AbortSignal) => this.#through(relay, next, signal),
    });
    // From the last one on: each is reached through the one after it.
    const hops: PathHop[] = [];
    for (const [index, relay] of [...rest.entries()].reverse()) {
      const next = hops[0];
      const hop = new PathHop({
        ...identities[index]!,
        relay,
        dialing: next ? through(relay, next) : dialing,
        ttl,
        sessionWait,
        forward: next && ((signal) => this.#forwardTo(next, signal)),
      });
      hop.on('registered', () => this.emit('registered', relay));
      hop.on('lost', (error) => this.emit('lost', relay, error));
      hop.on('waiting', (call, error, delayMs) => this.emit('waiting', relay, call, error, delayMs));
      hops.unshift(hop);
    }
    this.#hops = hops;
    this.#directory = new RelayDirectory(this.#last.client);
    this.dialing = through(entry, hops[0]!);
  }

  /** Derives the identities for its relays. @throws what signing throws */
  static async create(options: RelayPathOptions): Promise<RelayPath> {
    const { relays, identity, name } = options;
    return new RelayPath(options, await hopIdentities(identity, name, relays.slice(1)));
  }

  /** What the entry's lease asks for. */
  async hop(signal: AbortSignal): Promise<components['schemas']['Hop']> {
    const hello_key = this.helloKey.toString('base64url');
    return { forward: { ...(await this.#forwardTo(this.#hops[0]!, signal)), hello_key } };
  }

  /** Keeps the leases until the signal is aborted. @throws the fatal error of the first that has one */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#hops.map((hop) => hop.run(signal)));
  }

  /** Looks at once whether all leases are still there. */
  renewNow(): void {
    for (const hop of this.#hops) hop.renewNow();
  }

  /** Unregisters all leases, and closes what is open. */
  async leave(): Promise<void> {
    // Each is called through those after it, whose connections outlive their leases for a while.
    await Promise.all(this.#hops.map((hop) => hop.unregister()));
    await Promise.all(this.#hops.map(({ transport }) => transport.close()));
  }

  /** Sessions are opened at the last relay, with the token that it has given. */
  carrier(make: (last: URL, transport: RelayTransport) => Carrier): Carrier {
    const last = this.#last;
    const inner = make(last.relay, last.transport);
    return {
      name: inner.name,
      dial: (request) => this.#dial(inner, last, request),
    };
  }

  /** The first relay, from the last to the entry, that does not answer. @param askEntry asks the entry */
  async silent(askEntry: (timeoutMs: number) => Promise<unknown>, signal: AbortSignal): Promise<URL | undefined> {
    for (const { relay, client } of [...this.#hops].reverse()) {
      const answers = await answered(() => client.getHealth({ timeoutMs: askTimeoutMs, signal }));
      if (!answers) return relay;
    }
    return (await answered(() => askEntry(askTimeoutMs))) ? undefined : this.#entry;
  }

  get #last(): PathHop {
    return this.#hops.at(-1)!;
  }

  async #dial(inner: Carrier, last: PathHop, { signal }: DialRequest): Promise<OpenedSession> {
    const registration = await last.registration(signal);
    try {
      return await inner.dial({ accessToken: registration.accessToken, signal });
    } catch (error) {
      if (!isApiError(error)) throw error;
      last.refused(registration, error);
      // It must not count as the entry's refusal. A pending approval keeps its words.
      const { message, code } = error;
      const what = code === 'lease_rejected' ? 'has yet to approve this tunnel' : `opens no session: ${message}`;
      throw new NetworkError('unreachable', `${last.relay.host} ${what}`, { cause: error });
    }
  }

  async #through(relay: URL, next: PathHop, signal: AbortSignal): Promise<Duplex> {
    const { wire } = await this.#directory.descriptorOf(relay, signal);
    return await next.openPeer(wire.address, signal);
  }

  async #forwardTo(next: PathHop, signal: AbortSignal): Promise<Forward> {
    const { wire } = await this.#directory.descriptorOf(next.relay, signal);
    return { descriptor: wire, token: next.token, pass_visitor_address: this.#passVisitorAddress };
  }
}

async function answered(ask: () => Promise<unknown>): Promise<boolean> {
  try {
    await ask();
    return true;
  } catch {
    return false;
  }
}
