import { createHash } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { createSecureContext } from 'node:tls';
import { defaultIdentityFile, loadIdentityFile } from '../sdk/identity/identity-file.js';
import type { Identity } from '../sdk/identity/identity.js';
import { nameOfAddress } from '../sdk/identity/name.js';
import { background } from '../util/boundary.js';
import { closeGraceMs } from './relays/relay-member.js';
import { relayTimes } from './options/relay-times.js';
import { checkExposeOptions, checkRelays, type ExposeOptions, type RelayChoice } from './options/expose-options.js';
import type { InspectedService } from './inspect/inspected-service.js';
import type { Inspector } from './inspect/inspector.js';
import type { CertificateLife } from './link/keyless.js';
import type { LinkServices } from './link/relay-link.js';
import { PathSet } from './relays/path-set.js';
import { RelaySet, type RelaySetOptions } from './relays/relay-set.js';
import { UnfitServiceError } from './services/upstream/connect-target.js';
import type { Protocol } from './services/upstream/service-health.js';
import { describeTarget } from './services/upstream/target.js';
import type { TunnelEnd, TunnelEvents, TunnelReady, TunnelStatus } from './relays/tunnel-events.js';

/** A local service with a public name on each relay in use. Created by `expose`. */
export class Tunnel extends EventEmitter<TunnelEvents> {
  /** Settles, and never rejects, when the tunnel has ended and released everything. */
  readonly closed: Promise<TunnelEnd>;
  /** Settles when the tunnel is closing and its names are released; connections may still be live. */
  readonly released: Promise<void>;
  readonly #options: ExposeOptions;
  #choice: RelayChoice;
  readonly #leaving = new AbortController();
  #graceMs: number;
  #set: RelaySet | PathSet | undefined;
  #release!: () => void;
  #inspected: InspectedService | undefined;
  readonly #serving = new Map<string, TunnelReady>();

  /** @internal */
  constructor(options: ExposeOptions) {
    super();
    this.#options = options;
    this.#choice = options;
    this.#graceMs = options.closeGraceMs ?? closeGraceMs;
    this.released = new Promise((resolve) => (this.#release = resolve));
    // Deferred, so that the caller can add listeners first.
    this.closed = new Promise<void>((resolve) => setImmediate(resolve)).then(() => this.#run());
  }

  /** Where the service is online: the first of `places`. */
  get current(): TunnelReady | undefined {
    return this.places[0];
  }

  /** Where the service is online, one for each relay. */
  get places(): TunnelReady[] {
    return [...this.#serving.values()];
  }

  /** The last requests, where the option `inspect` is on and the service was started. */
  get inspector(): Inspector | undefined {
    return this.#inspected?.inspector;
  }

  /** Life of the certificate that visitors see, the one of those in use that ends first; undefined without one. */
  get certificateLife(): CertificateLife | undefined {
    return this.#set?.certificateLife;
  }

  /** Resolves once the service is online. @throws the error that ended the tunnel before */
  async ready(): Promise<TunnelReady> {
    if (this.current !== undefined) return this.current;
    return await new Promise((resolve, reject) => {
      this.once('ready', resolve);
      background('tunnel end', async () => {
        const { error } = await this.closed;
        this.off('ready', resolve);
        reject(error ?? new Error('the tunnel was closed'));
      });
    });
  }

  /**
   * Changes the relays. Connections of relays that stay are not affected; on removed relays live connections get the
   * grace of `close`.
   * @throws UsageError; nothing has changed then
   */
  setRelays(choice: RelayChoice): void {
    const { hops } = this.#options;
    const checked = checkRelays(Array.isArray(hops) ? { relay: hops } : choice);
    this.#choice = choice;
    this.#set?.change(checked);
  }

  /**
   * Releases the names, waits up to the grace for live connections, and ends. Another call can shorten the grace.
   * @param graceMs milliseconds; what `expose` was given by default
   */
  async close(graceMs = this.#graceMs): Promise<void> {
    this.#graceMs = Math.min(this.#graceMs, graceMs);
    if (this.#leaving.signal.aborted) this.#set?.leave(this.#graceMs);
    this.#leaving.abort();
    await this.closed;
  }

  async #run(): Promise<TunnelEnd> {
    const { signal } = this.#options;
    const onAbort = () => this.#leaving.abort();
    if (signal?.aborted === true) onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    const end: TunnelEnd = {};
    try {
      if (!this.#leaving.signal.aborted) await this.#serve();
    } catch (error) {
      end.error = error as Error;
    }
    signal?.removeEventListener('abort', onAbort);
    this.#release();
    this.#serving.clear();
    this.emit('closed', end);
    return end;
  }

  async #serve(): Promise<void> {
    const { services, inspected, name, certificates, hops } = checkExposeOptions(this.#options);
    const { identityFile, ca } = this.#options;
    const identity = this.#options.identity ?? (await loadIdentityFile(identityFile ?? defaultIdentityFile()));
    const { signal } = this.#leaving;
    if (signal.aborted) return;
    const relays = checkRelays(Array.isArray(hops) ? { relay: hops } : this.#choice);
    const setOptions: RelaySetOptions = {
      ...this.#options,
      closeGraceMs: this.#graceMs,
      identity,
      name: name ?? nameOfAddress(identity.address),
      services,
      certificates,
      secureContext: ca === undefined ? undefined : createSecureContext({ ca }),
      times: { ...relayTimes, ...this.#options.relayTimes },
    };
    const set = hops === undefined ? new RelaySet(relays, setOptions) : new PathSet(relays, hops, setOptions);
    this.#set = set;
    this.#inspected = inspected;
    this.#report(set, services);
    certificates?.on('status', ({ message, error }) => this.#status({ state: 'certificate', message, error }));
    await certificates?.start(signal);
    await services.https?.start?.({
      signal,
      secret: () => secretOf(identity),
      tell: (status) => this.#status(status),
    });
    // Deferred, so that the caller can add listeners first.
    signal.addEventListener('abort', () => queueMicrotask(() => this.#leave(set)), { once: true });
    try {
      await set.run();
    } finally {
      await certificates?.close();
    }
  }

  #leave(set: RelaySet | PathSet): void {
    const count = set.liveConnections;
    this.#status({ state: 'closing', message: count === 0 ? 'closing' : `closing; connections still open: ${count}` });
    set.leave(this.#graceMs);
    set.released.then(this.#release, this.#release);
  }

  #report(set: RelaySet | PathSet, services: LinkServices): void {
    set.on('status', (status) => this.#status(status));
    set.on('ready', (ready) => {
      this.#serving.set(ready.relay, ready);
      this.emit('ready', ready);
    });
    set.on('down', (url) => this.#serving.delete(url));
    set.on('connection', (report) => this.emit('connection', report));
    set.on('probe', (report) => this.emit('probe', report));
    set.on('latency', (latency) => this.emit('latency', latency));
    const { https, tcp, udp } = services;
    for (const service of [...(https?.upstreams ?? []), ...(tcp?.upstreams ?? []), ...(udp ? [udp] : [])]) {
      const target = describeTarget(service.target);
      service.on('down', (error) => {
        const what = error instanceof UnfitServiceError ? `${error.message};` : `${target} does not answer:`;
        this.#status({ state: 'target_down', message: `${what} visitors get an error page`, error });
      });
      service.on('recognised', (protocol) =>
        this.#status({ state: 'target_protocol', message: `${target} ${protocolTexts[protocol]}` }),
      );
      service.on('refuses', (what) =>
        this.#status({ state: 'target_refuses', message: `${target}: ${what}; add --host-header rewrite` }),
      );
      service.on('starved', (error) => {
        const message = `too many open files: ${target} could not be reached; raise the limit of this process (ulimit -n)`;
        this.#status({ state: 'too_many_open_files', message, error });
      });
      service.on('up', () => this.#status({ state: 'target_up', message: `${target} answers again` }));
    }
    services.udp?.on('dropped', (datagrams) =>
      this.#status({ state: 'datagrams_dropped', message: `${datagrams} datagrams were dropped recently` }),
    );
  }

  #status(status: TunnelStatus): void {
    this.emit('status', status);
  }
}

/** Of a key that signs deterministically (RFC 6979) it is the same each time. */
async function secretOf(identity: Identity): Promise<Buffer> {
  const signature = await identity.signMessage('portal tunnel: secret for the sessions of its visitors');
  return createHash('sha256').update(signature).digest();
}

const protocolTexts: Record<Protocol, string> = {
  http: 'speaks HTTP: requests are forwarded, with X-Forwarded-For (--raw passes bytes on instead)',
  bytes: 'does not answer HTTP requests: bytes are passed on (--http forwards requests all the same)',
  tls: 'speaks TLS, and visitors get no further: expose it as https://',
};

/**
 * Exposes a local service on one or several relays, until the tunnel is closed, its signal is aborted, or no relay can
 * be used any more. Errors, including those of the options (`UsageError`), are reported by `closed` and reject
 * `ready()`.
 */
export function expose(options: ExposeOptions): Tunnel {
  return new Tunnel(options);
}
