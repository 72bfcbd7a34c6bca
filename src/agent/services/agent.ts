import { EventEmitter } from 'node:events';
import { ApiError } from '../../contract/index.js';
import { UsageError, systemCode } from '../../sdk/calls/errors.js';
import { parseRelayUrl } from '../../sdk/calls/relay-url.js';
import { defaultIdentityFile, loadIdentityFile } from '../../sdk/identity/identity-file.js';
import { type ExposeOptions, type Inspector, ServiceGroup, type Tunnel } from '../../tunnel/index.js';
import { background, guard, repeat } from '../../util/boundary.js';
import { Mutex } from '../../util/mutex.js';
import { withoutUndefined } from '../../util/without-undefined.js';
import { type AgentSettings, noAgentSettings } from '../configuration/agent-settings.js';
import { ConfigFile } from '../configuration/config-file.js';
import { removeTable, setInTable, type TomlTable } from '../configuration/toml-text.js';
import type { AgentConfiguration, AgentLogLine, AgentRequestLine, AgentTunnel } from '../contract.js';
import { Notices } from '../notices/notices.js';
import { Outage } from '../notices/outage.js';
import { RelayBook, type UsedRelay } from './relay-book.js';
import { oneLine, ServiceRecord } from './service-record.js';

const certificateCheckMs = 3_600_000;
const certificateNoticeMs = 86_400_000;
const lookDelayMs = 500;
/** A certificate is near its end with so much of its life left. */
const leastLifeLeft = 0.2;

/** A service as the configuration file has it. */
export interface ConfiguredService {
  options: ExposeOptions;
  /** Somebody has stopped it. */
  disabled: boolean;
  /** What the file says of it, and where. */
  settings: AgentConfiguration['services'][number]['settings'];
}

/** The configuration file, read. */
export interface ReadConfiguration {
  services: Map<string, ConfiguredService>;
  agent: AgentSettings;
}

export interface AgentOptions {
  /** The configuration file, which need not be there. */
  configPath: string;
  /** @throws UsageError with one clear line */
  readConfig(path: string): ReadConfiguration;
  /** How long trouble lasts before it is told, in milliseconds. */
  noticePatienceMs?: number;
}

export interface AgentEvents {
  /** A service may be another now. */
  changed: [id: string];
  removed: [id: string];
  line: [id: string, line: AgentLogLine];
  request: [id: string, request: AgentRequestLine];
  /** The file is followed now, or why it is not. */
  configuration: [error: string | undefined];
  /** Of the table `[agent]`. */
  settings: [settings: AgentSettings];
}

/** The services of a configuration file, kept running, and the changes of the file. */
export class Agent extends EventEmitter<AgentEvents> {
  readonly notices = new Notices();
  readonly #options: AgentOptions;
  readonly #file: ConfigFile<ReadConfiguration>;
  readonly #group = new ServiceGroup();
  readonly #records = new Map<string, ServiceRecord>();
  readonly #outages = new Map<string, Outage>();
  readonly #book = new RelayBook(() => {
    for (const id of this.#services.keys()) this.emit('changed', id);
  });
  /** Ends of certificates that a notice was given of, by service. */
  readonly #endingCertificates = new Map<string, { until: number; toldAt: number }>();
  readonly #certificateCheck = repeat('agent certificate check', () => this.#checkCertificates(), certificateCheckMs);
  /** Reading, writing and applying the configuration. */
  readonly #changes = new Mutex();
  #services = new Map<string, ConfiguredService>();
  #settings = noAgentSettings;
  #configError: string | undefined;
  #looking: NodeJS.Timeout | undefined;

  constructor(options: AgentOptions) {
    super();
    // One listener per stream of events, whose number the connections bound.
    this.setMaxListeners(0);
    this.notices.setMaxListeners(0);
    this.#options = options;
    this.#file = new ConfigFile(options.configPath, (path) => options.readConfig(path));
    this.#group.on('opened', (id, tunnel) => this.#follow(id, tunnel));
  }

  /** Why the configuration file is not followed as it is. */
  get configError(): string | undefined {
    return this.#configError;
  }

  /** What the file says of the agent itself. */
  get settings(): AgentSettings {
    return this.#settings;
  }

  /** Starts the services of the file. What does not hold is told by `configError`, and nothing is started then. */
  async start(): Promise<void> {
    await this.reload();
  }

  /** Follows the file. What does not hold changes nothing. */
  async reload(): Promise<void> {
    await this.#changes.run(async () => {
      try {
        await this.#apply((await this.#file.read()) ?? { services: new Map(), agent: noAgentSettings });
        this.#followed(undefined);
      } catch (error) {
        if (!(error instanceof UsageError) && systemCode(error) === undefined) throw error;
        this.#followed(oneLine((error as Error).message));
      }
    });
  }

  /** Ends all services. @param graceMs as for `Tunnel.close` */
  async stop(graceMs?: number): Promise<void> {
    clearInterval(this.#certificateCheck);
    clearTimeout(this.#looking);
    this.#book.stop();
    for (const outage of this.#outages.values()) outage.stop();
    await this.#group.close(graceMs);
    clearTimeout(this.#looking);
    for (const record of this.#records.values()) record.stop();
  }

  /** All services, in the order of the file. */
  tunnels(): AgentTunnel[] {
    return [...this.#services.keys()].map((id) => this.tunnel(id));
  }

  /** @throws ApiError `not_found` */
  tunnel(id: string): AgentTunnel {
    const { options, disabled } = this.#service(id);
    const record = this.#records.get(id);
    const { name, domain, target, tcp, udp, hops, metadata, maxRelays, inspect } = options;
    const life = record?.tunnel?.certificateLife;
    return withoutUndefined({
      id,
      name: domain ?? name,
      address: record?.address,
      state: stateOf(record, disabled),
      target_addr: String(target ?? tcp ?? udp),
      last_error: record?.lastError,
      inspected: Boolean(inspect),
      certificate_expires_at: life && new Date(life.until).toISOString(),
      traffic: record?.traffic ?? { connections: 0, requests: 0, failed: 0, received: 0, sent: 0 },
      max_active_relays: maxRelays,
      metadata,
      multi_hop: Array.isArray(hops) ? hops.map(String) : [],
      relays: this.#relaysOf(options, disabled ? undefined : record),
    });
  }

  /** @throws ApiError `not_found` */
  log(id: string): AgentLogLine[] {
    this.#service(id);
    return this.#records.get(id)?.log ?? [];
  }

  /** The last requests, the oldest first. @throws ApiError `not_found` */
  requests(id: string): AgentRequestLine[] {
    this.#service(id);
    return this.#records.get(id)?.requests ?? [];
  }

  /** @throws ApiError `not_found` */
  clearRequests(id: string): void {
    this.#service(id);
    this.#records.get(id)?.clearRequests();
  }

  /** @throws ApiError `not_found` for an unknown service, and one that is not inspected or does not run */
  inspector(id: string): Inspector {
    this.#service(id);
    const inspector = this.#records.get(id)?.tunnel?.inspector;
    if (!inspector) throw new ApiError('not_found', `requests of ${id} are not kept: turn inspect on, and start it`);
    return inspector;
  }

  /** What is in force, and where it comes from. */
  configuration(): AgentConfiguration {
    const { allowedWallets, notifyCommand, notifyWebhook } = this.#settings;
    return withoutUndefined({
      config_path: this.#file.path,
      config_error: this.#configError,
      allowed_wallets: allowedWallets,
      notifies: [...(notifyCommand ? (['command'] as const) : []), ...(notifyWebhook ? (['webhook'] as const) : [])],
      services: [...this.#services].map(([id, { settings }]) => ({ id, settings })),
    });
  }

  /** @throws ApiError `invalid_request` */
  async add(asked: { id?: string; name?: string; target_addr: string; relays?: string[] }): Promise<AgentTunnel> {
    const id = asked.id ?? asked.name?.split('.')[0] ?? this.#freeId(asked.target_addr);
    const table: TomlTable = { target: asked.target_addr, name: asked.name, relays: asked.relays };
    return await this.#change(id, (text) => {
      if (this.#services.has(id)) throw new ApiError('invalid_request', `there is a service ${id} already`);
      return setInTable(text, ['services', id], table);
    });
  }

  /** Sets keys of a service; `undefined` takes one out. @throws ApiError `not_found`, `invalid_request` */
  async set(id: string, changes: TomlTable): Promise<AgentTunnel> {
    this.#service(id);
    return await this.#change(id, (text) => setInTable(text, ['services', id], changes));
  }

  /** @throws ApiError `not_found`, `invalid_request` */
  async remove(id: string): Promise<void> {
    this.#service(id);
    await this.#edit((text) => removeTable(text, ['services', id]));
  }

  /** @throws ApiError `not_found`, `invalid_request` when the file does not hold */
  async restart(id: string): Promise<AgentTunnel> {
    this.#service(id);
    await this.#changes.run(async () => {
      const all = this.#wanted();
      await this.#group.apply(new Map([...all].filter(([key]) => key !== id)));
      await this.#group.apply(all);
    });
    return this.tunnel(id);
  }

  /** The key of its table that says what it is. @throws ApiError `not_found` */
  targetKey(id: string): 'target' | 'tcp' | 'udp' {
    const { target, tcp } = this.#service(id).options;
    if (target !== undefined) return 'target';
    return tcp === undefined ? 'udp' : 'tcp';
  }

  /** The relays that a service was given, or those of the top level. @throws ApiError `not_found` */
  relays(id: string): string[] {
    const { relay = [] } = this.#service(id).options;
    return (Array.isArray(relay) ? relay : [relay]).map((url) => parseRelayUrl(String(url)).origin);
  }

  #service(id: string): ConfiguredService {
    const service = this.#services.get(id);
    if (!service) throw new ApiError('not_found', `there is no service ${id}`);
    return service;
  }

  async #change(id: string, edit: (text: string) => string): Promise<AgentTunnel> {
    await this.#edit(edit);
    return this.tunnel(id);
  }

  /** Writes the changed file and follows it, or does neither. @throws ApiError `invalid_request`, `internal` */
  async #edit(edit: (text: string) => string): Promise<void> {
    await this.#changes.run(async () => {
      const before = { services: this.#services, agent: this.#settings };
      await this.#file.edit(edit, {
        apply: (read) => this.#apply(read),
        undo: () => this.#apply(before),
      });
      this.#followed(undefined);
    });
  }

  async #apply({ services, agent }: ReadConfiguration): Promise<void> {
    const before = this.#services;
    this.#services = services;
    try {
      await this.#group.apply(this.#wanted());
    } catch (error) {
      this.#services = before;
      throw error;
    }
    this.#settings = agent;
    this.emit('settings', agent);
    for (const id of this.#records.keys()) if (!services.has(id)) this.#forget(id);
    for (const id of before.keys()) if (!services.has(id)) this.emit('removed', id);
    for (const id of services.keys()) this.emit('changed', id);
    this.#lookSoon();
  }

  /** Of many services that begin to serve together, relays and certificates are looked at once. */
  #lookSoon(): void {
    this.#looking ??= setTimeout(
      guard('agent relay check', () => {
        this.#looking = undefined;
        this.#checkCertificates();
        this.#book.use(this.#usedRelays());
      }),
      lookDelayMs,
    );
  }

  #followed(error: string | undefined): void {
    const isNew = error !== this.#configError;
    this.#configError = error;
    if (isNew) this.emit('configuration', error);
  }

  #wanted(): Map<string, ExposeOptions> {
    const running = [...this.#services].filter(([, { disabled }]) => !disabled);
    return new Map(
      running.map(([id, { options }]) => {
        const { inspect } = options;
        const { onRequest } = this.#record(id);
        // The agent shows what is inspected itself.
        return [id, { ...options, onRequest, inspect: inspect === true ? { hasPage: false } : inspect }];
      }),
    );
  }

  #record(id: string): ServiceRecord {
    const known = this.#records.get(id);
    if (known) return known;
    const record = new ServiceRecord();
    this.#records.set(id, record);
    const outage = new Outage((reason) => this.#tellOutage(id, reason), this.#options.noticePatienceMs);
    this.#outages.set(id, outage);
    record.on('changed', () => {
      if (this.#services.has(id)) this.emit('changed', id);
    });
    record.on('line', (line) => this.emit('line', id, line));
    record.on('request', (request) => this.emit('request', id, request));
    record.on('trouble', (reason, isFinal) => {
      // Of one that somebody has stopped nobody waits for anything.
      if (this.#services.get(id)?.disabled === false) outage.set(reason, isFinal);
      else outage.reset();
    });
    record.on('intercepted', (relay, message) =>
      this.notices.add({ kind: 'relay_left', service: id, relay, message: `${id}: ${message}` }),
    );
    return record;
  }

  #forget(id: string): void {
    this.#records.get(id)?.stop();
    this.#records.delete(id);
    this.#outages.get(id)?.stop();
    this.#outages.delete(id);
    this.#endingCertificates.delete(id);
  }

  #follow(id: string, tunnel: Tunnel): void {
    const record = this.#record(id);
    record.follow(tunnel);
    tunnel.on('ready', () => this.#lookSoon());
    background('tunnel end', async () => {
      const { identity, identityFile = defaultIdentityFile() } = this.#services.get(id)?.options ?? {};
      record.address = (identity ?? (await loadIdentityFile(identityFile).catch(() => undefined)))?.address;
      const { error } = await tunnel.closed;
      record.ended(tunnel, error);
    });
  }

  #tellOutage(id: string, reason: string | undefined): void {
    const kind = reason === undefined ? 'service_recovered' : 'service_failed';
    this.notices.add({ kind, service: id, message: `${id}: ${reason ?? 'is reached again'}` });
  }

  #checkCertificates(): void {
    for (const [id, { tunnel }] of this.#records) {
      const life = tunnel?.certificateLife;
      if (!life || life.until - Date.now() > (life.until - life.from) * leastLifeLeft) continue;
      const told = this.#endingCertificates.get(id);
      // A relay that shows another such certificate each time is told of once a day.
      if (told && (told.until === life.until || performance.now() - told.toldAt < certificateNoticeMs)) continue;
      this.#endingCertificates.set(id, { until: life.until, toldAt: performance.now() });
      const day = new Date(life.until).toISOString().slice(0, 10);
      this.notices.add({ kind: 'certificate_expiring', service: id, message: `${id}: its certificate ends on ${day}` });
    }
  }

  #usedRelays(): UsedRelay[] {
    const used = new Map<string, UsedRelay>();
    for (const [id, { options, disabled }] of this.#services) {
      if (disabled) continue;
      const serving = this.#records.get(id)?.tunnel?.places.map(({ relay }) => relay) ?? [];
      const named = namedRelays(options);
      for (const url of named) used.set(url, { url, isNamed: true, ca: options.ca });
      for (const url of serving) if (!used.has(url)) used.set(url, { url, isNamed: false, ca: options.ca });
    }
    return [...used.values()];
  }

  #relaysOf(options: ExposeOptions, record: ServiceRecord | undefined): AgentTunnel['relays'] {
    const tunnel = record?.tunnel;
    const explicit = new Set(namedRelays(options).slice(0, Array.isArray(options.hops) ? 1 : undefined));
    const serving = new Map((tunnel?.places ?? []).map((place) => [place.relay, place]));
    const left = record?.banned ?? new Set();
    return [...new Set([...explicit, ...serving.keys(), ...(record?.banned ?? [])])].map((url) => {
      const { facts, latencyMs } = this.#book.find(url) ?? {};
      return withoutUndefined({
        relay_url: url,
        public_url: serving.get(url)?.url,
        public_urls: serving.get(url)?.urls,
        compat: serving.get(url)?.compat,
        explicit: explicit.has(url),
        connecting: tunnel !== undefined && !serving.has(url) && !left.has(url),
        latency_ms:
          record?.latencies.get(url) ?? (latencyMs === undefined ? undefined : Math.round(latencyMs * 10) / 10),
        bootstrap: explicit.has(url) && options.discovery === true,
        banned: left.has(url),
        version: facts?.version,
        supports_overlay: facts && facts.overlay !== undefined,
        supports_udp: facts?.supportsUdp,
        supports_tcp: facts?.supportsTcp,
      });
    });
  }

  #freeId(target: string): string {
    const words = target
      .replace(/^[a-z0-9]+:\/*/, '')
      .replaceAll(/[^A-Za-z0-9]+/g, '-')
      .replaceAll(/^-|-$/g, '');
    const base = words.slice(-40).toLowerCase().replace(/^-/, '') || 'service';
    const from = /^[0-9]/.test(base) ? `service-${base}` : base;
    for (let count = 1; ; count++) {
      const id = count === 1 ? from : `${from}-${count}`;
      if (!this.#services.has(id)) return id;
    }
  }
}

function stateOf(record: ServiceRecord | undefined, disabled: boolean): AgentTunnel['state'] {
  if (disabled) return 'stopped';
  if (record?.hasFailed) return 'error';
  return record?.tunnel?.current ? 'running' : 'starting';
}

/** Those of the configuration: of a path, its relays. */
function namedRelays({ relay = [], hops }: ExposeOptions): string[] {
  const given = Array.isArray(hops) ? hops : Array.isArray(relay) ? relay : [relay];
  return given.map((url) => parseRelayUrl(String(url)).origin);
}
