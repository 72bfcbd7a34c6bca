import { EventEmitter } from 'node:events';
import { isDeepStrictEqual } from 'node:util';
import { UsageError } from '../sdk/calls/errors.js';
import { Mutex } from '../util/mutex.js';
import { defaultIdentityFile, loadIdentityFile } from '../sdk/identity/identity-file.js';
import { background } from '../util/boundary.js';
import { expose, type Tunnel } from './expose.js';
import { checkExposeOptions, type ExposeOptions, type RelayChoice } from './options/expose-options.js';
import type { TunnelEnd } from './relays/tunnel-events.js';

export interface GroupChange {
  /** Keys of services, each in exactly one list. */
  started: string[];
  /** Closed and started again, with other options. */
  restarted: string[];
  /** Only their relays were changed. */
  moved: string[];
  stopped: string[];
  kept: string[];
}

export interface GroupEvents {
  /** A service got a tunnel: add listeners to it. */
  opened: [key: string, tunnel: Tunnel];
  /** A service's tunnel has ended; with an error unless it was closed on purpose. */
  closed: [key: string, end: TunnelEnd];
}

interface Service {
  options: ExposeOptions;
  tunnel: Tunnel;
  isOver: boolean;
}

/**
 * Many services in one process, each with its own tunnel. The set can change; services that do not change are not
 * affected.
 */
export class ServiceGroup extends EventEmitter<GroupEvents> {
  readonly #services = new Map<string, Service>();
  readonly #closing = new Set<Tunnel>();
  /** Serializes changes. */
  readonly #changes = new Mutex();
  #isOver = false;

  /** Services whose tunnel has not ended. */
  get size(): number {
    return [...this.#services.values()].filter(({ isOver }) => !isOver).length;
  }

  /**
   * Makes the running services match these. A service that has ended by itself is started again.
   * @throws UsageError when options or an identity are invalid; nothing has changed then
   */
  async apply(wanted: ReadonlyMap<string, ExposeOptions>): Promise<GroupChange> {
    const identityFiles = new Set<string>();
    for (const [key, options] of wanted) {
      try {
        checkExposeOptions(options);
      } catch (error) {
        throw new UsageError(`${key}: ${(error as Error).message}`, { cause: error });
      }
      if (!options.identity) identityFiles.add(options.identityFile ?? defaultIdentityFile());
    }
    await Promise.all([...identityFiles].map((file) => loadIdentityFile(file)));
    return await this.#changes.run(() => this.#apply(wanted));
  }

  /** Closes all services. Another call can shorten the grace. @param graceMs as for `Tunnel.close` */
  async close(graceMs?: number): Promise<void> {
    this.#isOver = true;
    const tunnels = () => [...[...this.#services.values()].map(({ tunnel }) => tunnel), ...this.#closing];
    await Promise.all(tunnels().map((tunnel) => tunnel.close(graceMs)));
    await this.#changes.run(() => undefined);
    await Promise.all(tunnels().map((tunnel) => tunnel.close(graceMs)));
  }

  async #apply(wanted: ReadonlyMap<string, ExposeOptions>): Promise<GroupChange> {
    const change: GroupChange = { started: [], restarted: [], moved: [], stopped: [], kept: [] };
    if (this.#isOver) return change;
    const released: Promise<void>[] = [];
    for (const [key, { tunnel, isOver, options }] of [...this.#services]) {
      const next = wanted.get(key);
      if (next && !isOver && isDeepStrictEqual(withoutRelays(options), withoutRelays(next))) continue;
      this.#services.delete(key);
      if (!next) change.stopped.push(key);
      else if (!isOver) change.restarted.push(key);
      if (isOver) continue;
      this.#closing.add(tunnel);
      background('tunnel end', async () => {
        await tunnel.close();
        this.#closing.delete(tunnel);
      });
      released.push(tunnel.released);
    }
    // Release the name before another service, or the same one again, asks for it.
    await Promise.all(released);
    for (const [key, options] of wanted) {
      if (this.#isOver) break;
      const running = this.#services.get(key);
      if (!running) {
        this.#open(key, options);
        if (!change.restarted.includes(key)) change.started.push(key);
      } else if (isDeepStrictEqual(relaysOf(running.options), relaysOf(options))) {
        change.kept.push(key);
      } else {
        running.options = options;
        running.tunnel.setRelays(relaysOf(options));
        change.moved.push(key);
      }
    }
    return change;
  }

  #open(key: string, options: ExposeOptions): void {
    const tunnel = expose(options);
    const service = { options, tunnel, isOver: false };
    this.#services.set(key, service);
    background('tunnel end', async () => {
      const end = await tunnel.closed;
      service.isOver = true;
      this.emit('closed', key, end);
    });
    this.emit('opened', key, tunnel);
  }
}

function relaysOf({ relay, discovery, maxRelays }: ExposeOptions): RelayChoice {
  return { relay, discovery, maxRelays };
}

function withoutRelays(options: ExposeOptions): object {
  return { ...options, relay: undefined, discovery: undefined, maxRelays: undefined };
}
