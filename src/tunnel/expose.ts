import { EventEmitter } from 'node:events';
import { ApiError } from '../contract/errors.js';
import { createPortalClient } from '../sdk/client.js';
import { defaultIdentityFile, loadIdentityFile } from '../sdk/identity-file.js';
import { UsageError } from '../sdk/errors.js';
import type { Identity } from '../sdk/identity.js';
import type { Metadata } from '../sdk/lease-keeper.js';
import { checkName, nameOfAddress } from '../sdk/name.js';
import type { LeaseCall } from '../sdk/reactions.js';
import { parseRelayUrl } from '../sdk/relay-url.js';
import { RelayTransport } from '../sdk/relay-transport.js';
import { AutoCarrier } from './auto-carrier.js';
import type { Carrier } from './carrier.js';
import { closeGraceMs } from './constants.js';
import { checkHostHeader } from './forwarded-headers.js';
import { LocalService, type ServiceOptions } from './local-service.js';
import { RawCarrier } from './raw-carrier.js';
import { RelayLink, type ConnectionReport } from './relay-link.js';
import type { InterceptionError, ProbeReport, ProbeTimes } from './self-probe.js';
import { visit } from './visit.js';
import { WebSocketCarrier } from './websocket-carrier.js';
import { describeTarget, parseTarget, type Target } from './target.js';

export interface ExposeOptions {
  /** The local service: `3000`, `host:port`, `[::1]:3000` or `http://host:port`. */
  target: string | number;
  /** The relay's URL, `https://host[:port]`. */
  relay: string | URL;
  /** One DNS label; derived from the identity's address by default, always the same for the same identity. */
  name?: string;
  /** Who leases the name. By default the identity of `identityFile`. */
  identity?: Identity;
  /** Made when it does not exist; `$XDG_CONFIG_HOME/portal/identity.json` by default. */
  identityFile?: string;
  /** PEM certificates to trust for the relay instead of the well-known ones. */
  ca?: string | Buffer;
  /**
   * The HTTP proxy to reach the relay through, `http(s)://[user:password@]host[:port]`. By default what the environment says
   * (`HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`), though not for relays on this machine; none when false.
   */
  proxy?: string | URL | false;
  /**
   * How reverse sessions reach the relay: `raw`, `ws`, or, by default, `auto`: raw, and over WebSocket where something on
   * the way lets only that through.
   */
  carrier?: 'auto' | 'raw' | 'ws';
  /** For the relay's listings. */
  metadata?: Metadata;
  /** Begin each connection to the service with a PROXY protocol v2 header that names the visitor. */
  proxyProtocol?: boolean;
  /**
   * Pass requests on instead of bytes, with X-Forwarded-For, -Host and -Proto set and the visitor's own dropped. So it is for
   * `http://` targets unless this is false; for others only when this is true, or `hostHeader` is given.
   */
  http?: boolean;
  /** The Host that the service is sent, for one that checks it; `rewrite` for the target's own. */
  hostHeader?: string;
  /** Seconds of lease to ask for; the relay's default without. Renewed for as long as the tunnel runs. */
  ttl?: number;
  /**
   * Whether, and when, the tunnel visits its own public name to see whether TLS ends here: after visitors came, every 30 s
   * at most. On by default.
   */
  probe?: boolean | ProbeTimes;
  /** Ends the tunnel, with an `InterceptionError`, once a probe shows that visitors' TLS ends elsewhere. */
  banMitm?: boolean;
  /** Aborting closes the tunnel as `close()` does. */
  signal?: AbortSignal;
  /** How long live connections may go on after that, in milliseconds; 10 s by default. */
  closeGraceMs?: number;
}

export interface TunnelReady {
  /** Where the service is now: `https://hostname[:port]`. */
  url: string;
  hostname: string;
  /** The relay's URL. */
  relay: string;
}

export type TunnelState =
  | 'connecting'
  | 'registered'
  /** A call failed; it is made again in `retryInMs`. */
  | 'retrying'
  /** The relay's operator has to approve the name first. */
  | 'awaiting_approval'
  /** The lease is gone and another is sought. */
  | 'lease_lost'
  /** Something on the way does not let the raw carrier through. */
  | 'carrier_changed'
  | 'target_down'
  | 'target_up'
  | 'closing';

export interface TunnelStatus {
  state: TunnelState;
  /** One line for people, without secrets. */
  message: string;
  error?: Error;
  retryInMs?: number;
}

export interface TunnelEnd {
  /** What made going on pointless; absent after `close()` or an abort. */
  error?: Error;
}

export interface TunnelEvents {
  /** Visitors are served at the URL, for the first time or again. */
  ready: [ready: TunnelReady];
  status: [status: TunnelStatus];
  /** A visitor's connection is over. */
  connection: [report: ConnectionReport];
  /** The tunnel has visited its own public name. */
  probe: [report: ProbeReport];
  closed: [end: TunnelEnd];
}

/** A local service on a public name. Made by `expose`. */
export class Tunnel extends EventEmitter<TunnelEvents> {
  /** Settles, and never rejects, when the tunnel is over and holds nothing any more. */
  readonly closed: Promise<TunnelEnd>;
  readonly #options: ExposeOptions;
  readonly #leaving = new AbortController();
  #graceMs: number;
  #hurry: (() => void) | undefined;
  #ready: TunnelReady | undefined;
  #interception: InterceptionError | undefined;

  /** @internal */
  constructor(options: ExposeOptions) {
    super();
    this.#options = options;
    this.#graceMs = options.closeGraceMs ?? closeGraceMs;
    // Not before the caller has had a chance to listen.
    this.closed = new Promise<void>((resolve) => setImmediate(resolve)).then(() => this.#run());
  }

  /** Where the service is, while visitors are served. */
  get current(): TunnelReady | undefined {
    return this.#ready;
  }

  /** Resolves once visitors are served. @throws what ended the tunnel before */
  async ready(): Promise<TunnelReady> {
    if (this.#ready !== undefined) return this.#ready;
    return await new Promise((resolve, reject) => {
      this.once('ready', resolve);
      void this.closed.then(({ error }) => {
        this.off('ready', resolve);
        reject(error ?? new Error('the tunnel was closed'));
      });
    });
  }

  /**
   * Gives the name back, lets live connections finish for as long as the grace lasts, and ends. Called again with less
   * grace, it hurries.
   * @param graceMs milliseconds; what `expose` was given by default
   */
  async close(graceMs = this.#graceMs): Promise<void> {
    this.#graceMs = Math.min(this.#graceMs, graceMs);
    this.#leaving.abort();
    if (graceMs <= 0) this.#hurry?.();
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
    this.#ready = undefined;
    this.emit('closed', end);
    return end;
  }

  async #serve(): Promise<void> {
    const { target, relay, identityFile, metadata, ttl, ca, proxy, probe = true, banMitm = false } = this.#options;
    if (banMitm && probe === false) throw new UsageError('without probes there is no interception to be seen');
    const relayUrl = parseRelayUrl(relay.toString());
    const localTarget = parseTarget(target);
    const service = new LocalService(localTarget, serviceOptions(this.#options, localTarget));
    const chosenName = this.#options.name === undefined ? undefined : checkName(this.#options.name);
    const identity = this.#options.identity ?? (await loadIdentityFile(identityFile ?? defaultIdentityFile()));
    const transport = new RelayTransport({ ca, proxy });
    const link = new RelayLink({
      client: createPortalClient({ relay: relayUrl, fetch: transport.fetch }),
      carrier: this.#carrier(relayUrl, transport),
      identity,
      name: chosenName ?? nameOfAddress(identity.address),
      metadata,
      ttl,
      service,
      probe:
        probe === false
          ? undefined
          : { ...(probe === true ? {} : probe), visit: (url, signal) => visit(url, { ca, proxy }, signal) },
    });
    this.#report(link, service, relayUrl);
    this.#status({ state: 'connecting', message: `connecting to ${relayUrl.host}` });
    const left = this.#leaveWhenAsked(link);
    try {
      await link.run();
      await left;
      if (this.#interception !== undefined) throw this.#interception;
    } finally {
      this.#leaving.abort();
      await left;
      await transport.close();
    }
  }

  #carrier(relay: URL, transport: RelayTransport): Carrier {
    const raw = new RawCarrier(relay, transport);
    const webSocket = new WebSocketCarrier(relay, transport);
    const wanted = this.#options.carrier ?? 'auto';
    if (wanted === 'raw') return raw;
    if (wanted === 'ws') return webSocket;
    if (wanted !== 'auto') throw new UsageError(`the carrier is auto, raw or ws, not ${JSON.stringify(wanted)}`);
    return new AutoCarrier(raw, webSocket, (reason) => {
      this.#status({ state: 'carrier_changed', message: `going on over WebSocket: ${reason.message}`, error: reason });
    });
  }

  /** Waits for the wish to leave, then gives back the lease and waits for the live connections, as long as they may. */
  async #leaveWhenAsked(link: RelayLink): Promise<void> {
    const { signal } = this.#leaving;
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    const count = link.liveConnections;
    this.#status({ state: 'closing', message: count === 0 ? 'closing' : `closing; connections still open: ${count}` });
    const hurried = new Promise<void>((resolve) => (this.#hurry = resolve));
    if (this.#graceMs > 0) await Promise.race([link.leave(), hurried]);
    else void link.leave();
    const timer = setTimeout(() => this.#hurry?.(), this.#graceMs);
    await Promise.race([link.drained(), hurried]);
    clearTimeout(timer);
    link.cut();
    await link.drained();
  }

  #report(link: RelayLink, service: LocalService, relay: URL): void {
    link.on('registered', ({ hostname }) => this.#status({ state: 'registered', message: `registered ${hostname}` }));
    link.on('online', ({ url, hostname }) => {
      this.#ready = { url, hostname, relay: relay.origin };
      this.emit('ready', this.#ready);
    });
    link.on('lost', ({ hostname }, error) => {
      this.#ready = undefined;
      this.#status({ state: 'lease_lost', message: `${hostname} is lost: ${error.message}`, error });
    });
    link.on('waiting', (call, error, retryInMs) => this.#status(waitingStatus(call, error, retryInMs)));
    link.on('connection', (report) => this.emit('connection', report));
    link.on('probe', (report) => {
      this.emit('probe', report);
      if (this.#options.banMitm === true && report.result === 'mismatch') this.#ban(link, report.error);
    });
    const target = describeTarget(service.target);
    service.on('down', (error) =>
      this.#status({ state: 'target_down', message: `${target} does not answer; visitors are told so`, error }),
    );
    service.on('up', () => this.#status({ state: 'target_up', message: `${target} answers again` }));
  }

  /** Leaves, and spares the live connections no time: somebody reads them. */
  #ban(link: RelayLink, error: InterceptionError): void {
    this.#interception = error;
    link.cut();
    this.#leaving.abort();
  }

  #status(status: TunnelStatus): void {
    this.emit('status', status);
  }
}

/** @throws UsageError when the options contradict each other */
function serviceOptions({ proxyProtocol, http, hostHeader }: ExposeOptions, target: Target): ServiceOptions {
  if (hostHeader !== undefined && http === false) throw new UsageError('a Host header can only be set over HTTP');
  const isHttp = http ?? (hostHeader !== undefined || target.speaksHttp === true);
  if (!isHttp) return { proxyProtocol };
  const host = hostHeader === 'rewrite' ? describeTarget(target) : hostHeader;
  return { proxyProtocol, http: { hostHeader: host === undefined ? undefined : checkHostHeader(host) } };
}

function waitingStatus(call: LeaseCall, error: Error, retryInMs: number): TunnelStatus {
  const when = `again in ${(retryInMs / 1000).toFixed(1)} s`;
  if (call === 'connect' && error instanceof ApiError && error.code === 'lease_rejected') {
    return {
      state: 'awaiting_approval',
      message: `the relay's operator has yet to approve this name; asking ${when}`,
      error,
      retryInMs,
    };
  }
  return { state: 'retrying', message: `${error.message}; trying ${when}`, error, retryInMs };
}

/**
 * Puts a local service on a public HTTPS name and keeps it there until the tunnel is closed, its signal is aborted, or
 * going on is pointless. Faults, those of the options too (`UsageError`), end in `closed` and reject `ready()`.
 */
export function expose(options: ExposeOptions): Tunnel {
  return new Tunnel(options);
}
