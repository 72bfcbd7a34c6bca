import { randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { ApiError } from '../contract/index.js';
import { UsageError, systemCode } from '../sdk/calls/errors.js';
import { parseRelayUrl } from '../sdk/calls/relay-url.js';
import { defaultIdentityFile, loadIdentityFile } from '../sdk/identity/identity-file.js';
import { ServiceGroup, type ExposeOptions, type Tunnel } from '../tunnel/index.js';
import { background } from '../util/boundary.js';
import { Mutex } from '../util/mutex.js';
import { withoutUndefined } from '../util/without-undefined.js';
import type { AgentLogLine, AgentTunnel } from './contract.js';
import { removeTable, setInTable, TomlEditError, type TomlTable } from './toml-text.js';

/** Lines of the log that are kept of each service. */
const maxLogLines = 500;
const maxMessage = 4_096;

/** A service as the configuration file has it. */
export interface ConfiguredService {
  options: ExposeOptions;
  /** Somebody has stopped it. */
  disabled: boolean;
}

export interface AgentOptions {
  /** The configuration file, which need not be there. */
  configPath: string;
  /** @throws UsageError with one clear line */
  readConfig(path: string): Map<string, ConfiguredService>;
}

/** What is known of a service, beyond its configuration. */
interface Known {
  tunnel: Tunnel | undefined;
  lastError: string | undefined;
  /** Its tunnel has ended by itself. */
  hasFailed: boolean;
  address: string | undefined;
  readonly log: AgentLogLine[];
}

export interface AgentEvents {
  /** A service may be another now. */
  changed: [id: string];
  removed: [id: string];
  line: [id: string, line: AgentLogLine];
}

/** The services of a configuration file, kept running, and the changes of the file. */
export class Agent extends EventEmitter<AgentEvents> {
  readonly #options: AgentOptions;
  readonly #group = new ServiceGroup();
  readonly #known = new Map<string, Known>();
  /** Reading, writing and applying the configuration. */
  readonly #changes = new Mutex();
  #services = new Map<string, ConfiguredService>();
  #configError: string | undefined;

  constructor(options: AgentOptions) {
    super();
    // One listener per stream of events, whose number the connections bound.
    this.setMaxListeners(0);
    this.#options = options;
    this.#group.on('opened', (id, tunnel) => this.#follow(id, tunnel));
  }

  /** Why the configuration file is not followed as it is. */
  get configError(): string | undefined {
    return this.#configError;
  }

  /** Starts the services of the file. What does not hold is told by `configError`, and nothing is started then. */
  async start(): Promise<void> {
    await this.reload();
  }

  /** Follows the file. What does not hold changes nothing. */
  async reload(): Promise<void> {
    await this.#changes.run(async () => {
      try {
        await this.#apply(await this.#read());
        this.#configError = undefined;
      } catch (error) {
        if (!(error instanceof UsageError)) throw error;
        this.#configError = oneLine(error.message);
      }
    });
  }

  /** Ends all services. @param graceMs as for `Tunnel.close` */
  async stop(graceMs?: number): Promise<void> {
    await this.#group.close(graceMs);
  }

  /** All services, in the order of the file. */
  tunnels(): AgentTunnel[] {
    return [...this.#services.keys()].map((id) => this.tunnel(id));
  }

  /** @throws ApiError `not_found` */
  tunnel(id: string): AgentTunnel {
    const { options, disabled } = this.#service(id);
    const known = this.#known.get(id);
    const { name, domain, target, tcp, udp, hops, metadata, maxRelays } = options;
    return withoutUndefined({
      id,
      name: domain ?? name,
      address: known?.address,
      state: stateOf(known, disabled),
      target_addr: String(target ?? tcp ?? udp),
      last_error: known?.lastError,
      max_active_relays: maxRelays,
      metadata,
      multi_hop: Array.isArray(hops) ? hops.map(String) : [],
      relays: relaysOf(options, disabled ? undefined : known?.tunnel),
    });
  }

  /** @throws ApiError `not_found` */
  log(id: string): AgentLogLine[] {
    this.#service(id);
    return [...(this.#known.get(id)?.log ?? [])];
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
    this.#known.delete(id);
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

  /** Writes the changed file and follows it, or does neither. @throws ApiError `invalid_request` */
  async #edit(edit: (text: string) => string): Promise<void> {
    const { readConfig } = this.#options;
    await this.#changes.run(async () => {
      const { path, text, mode } = await this.#file();
      // Relative paths in it start at its folder.
      const draft = `${path}.${randomBytes(6).toString('hex')}`;
      const before = this.#services;
      try {
        await writeFile(draft, edit(text), { flag: 'wx', mode, flush: true });
        await this.#apply(readConfig(draft));
        await rename(draft, path).catch(async (error: unknown) => {
          await this.#apply(before);
          throw error;
        });
        this.#configError = undefined;
      } catch (error) {
        if (error instanceof UsageError || error instanceof TomlEditError)
          throw new ApiError('invalid_request', oneLine(error.message), { cause: error });
        throw error;
      } finally {
        await rm(draft, { force: true });
      }
    });
  }

  /** The file that a link leads to, with its mode; a new one is its owner's alone. */
  async #file(): Promise<{ path: string; text: string; mode: number }> {
    const { configPath } = this.#options;
    try {
      const path = await realpath(configPath);
      return { path, text: await readFile(path, 'utf8'), mode: (await stat(path)).mode & 0o777 };
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return { path: configPath, text: '', mode: 0o600 };
      throw error;
    }
  }

  async #read(): Promise<Map<string, ConfiguredService>> {
    const { configPath: path, readConfig } = this.#options;
    const isThere = await readFile(path).then(
      () => true,
      (error: unknown) => systemCode(error) !== 'ENOENT',
    );
    return isThere ? readConfig(path) : new Map();
  }

  async #apply(services: Map<string, ConfiguredService>): Promise<void> {
    const before = this.#services;
    this.#services = services;
    try {
      await this.#group.apply(this.#wanted());
    } catch (error) {
      this.#services = before;
      throw error;
    }
    for (const id of this.#known.keys()) if (!services.has(id)) this.#known.delete(id);
    for (const id of before.keys()) if (!services.has(id)) this.emit('removed', id);
    for (const id of services.keys()) this.emit('changed', id);
  }

  #wanted(): Map<string, ExposeOptions> {
    const running = [...this.#services].filter(([, { disabled }]) => !disabled);
    return new Map(running.map(([id, { options }]) => [id, options]));
  }

  #follow(id: string, tunnel: Tunnel): void {
    const known = this.#known.get(id) ?? {
      log: [],
      tunnel,
      lastError: undefined,
      hasFailed: false,
      address: undefined,
    };
    Object.assign(known, { tunnel, lastError: undefined, hasFailed: false });
    this.#known.set(id, known);
    const say = (event: string, message: string, relay?: string) => {
      const line = { time: new Date().toISOString(), event, message: oneLine(message), relay };
      known.log.push(withoutUndefined(line));
      if (known.log.length > maxLogLines) known.log.shift();
      this.emit('line', id, known.log.at(-1)!);
      if (this.#services.has(id)) this.emit('changed', id);
    };
    tunnel.on('status', ({ state, message, relay, error }) => {
      if (error) known.lastError = oneLine(message);
      say(state, message, relay);
    });
    tunnel.on('ready', ({ urls, relay }) => {
      known.lastError = undefined;
      say('ready', `serving at ${urls.join(' and ')}`, relay);
    });
    background('tunnel end', async () => {
      const { identity, identityFile = defaultIdentityFile() } = this.#services.get(id)?.options ?? {};
      known.address = (identity ?? (await loadIdentityFile(identityFile).catch(() => undefined)))?.address;
      const { error } = await tunnel.closed;
      if (known.tunnel !== tunnel) return;
      known.tunnel = undefined;
      known.hasFailed = error !== undefined;
      if (error) known.lastError = oneLine(error.message);
      say('closed', error ? `ended: ${error.message}` : 'ended');
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

function stateOf(known: Known | undefined, disabled: boolean): AgentTunnel['state'] {
  if (disabled) return 'stopped';
  if (known?.hasFailed) return 'error';
  return known?.tunnel?.current ? 'running' : 'starting';
}

function relaysOf({ relay = [], hops }: ExposeOptions, tunnel: Tunnel | undefined): AgentTunnel['relays'] {
  const given = Array.isArray(hops) ? hops.slice(0, 1) : Array.isArray(relay) ? relay : [relay];
  const explicit = new Set(given.map((url) => parseRelayUrl(String(url)).origin));
  const serving = new Map((tunnel?.places ?? []).map((place) => [place.relay, place.url]));
  return [...new Set([...explicit, ...serving.keys()])].map((url) =>
    withoutUndefined({
      relay_url: url,
      public_url: serving.get(url),
      explicit: explicit.has(url),
      connecting: tunnel !== undefined && !serving.has(url),
    }),
  );
}

const oneLine = (text: string) => text.replaceAll(/\s+/g, ' ').slice(0, maxMessage);
