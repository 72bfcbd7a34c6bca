import type { Socket } from 'node:net';
import { identityKey } from '../../contract/lease-identity.js';
import type { Routing } from '../ingress/routing.js';
import { type Lease } from '../leases/lease.js';
import type { Logger } from '../../util/logger.js';
import { EgressProxy } from './egress-proxy.js';
import { maxPictures, maxPicturesBytes, maxQueuedCaptures, pictureFreshMs } from './limits.js';
import { takeScreenshot } from './screenshot.js';

export interface ThumbnailsOptions {
  /** The browser's executable. */
  chromium: string;
  /** The lease that a hostname is currently routed to. */
  routing: Pick<Routing, 'leaseAt'>;
  /** URL of a hostname on the public port. */
  publicPort(): number;
  /** A connection to the public port. */
  dialPublic(): Socket;
  /** Key of a development certificate; undefined when browsers trust the relay's certificate. */
  trustedKey(): string | undefined;
  logger: Logger;
}

interface Kept {
  /** Identity of the service shown: the name may belong to another by now. */
  owner: string;
  /** Absent when the capture failed. */
  picture?: Buffer | undefined;
  takenAt: number;
}

/**
 * Screenshots of the public pages of leases. Captured in the background, one at a time, when one is requested and
 * missing or old; kept in memory.
 */
export class Thumbnails {
  /** By hostname, least recently requested first. */
  readonly #kept = new Map<string, Kept>();
  #bytes = 0;
  readonly #queue = new Set<string>();
  readonly #stop = new AbortController();
  #working: Promise<void> | undefined;

  constructor(private readonly options: ThumbnailsOptions) {}

  /** The current thumbnail, if any; a new one is queued when it is old. */
  get(hostname: string, now = Date.now()): Buffer | undefined {
    const lease = this.#shown(hostname);
    const kept = this.#kept.get(hostname);
    if (!lease || kept?.owner !== identityKey(lease.identity)) this.#drop(hostname);
    if (!lease) return undefined;
    const current = this.#kept.get(hostname);
    if (!current || current.takenAt + pictureFreshMs <= now) this.#ask(hostname);
    if (current) {
      this.#kept.delete(hostname);
      this.#kept.set(hostname, current);
    }
    return current?.picture;
  }

  /** Kills a running browser. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#queue.clear();
    await this.#working;
  }

  /** Leases hidden from listings get no thumbnails either. */
  #shown(hostname: string): Lease | undefined {
    const lease = this.options.routing.leaseAt(hostname);
    return lease?.metadata.hide === true ? undefined : lease;
  }

  #ask(hostname: string): void {
    if (this.#stop.signal.aborted || this.#queue.size >= maxQueuedCaptures) return;
    this.#queue.add(hostname);
    this.#working ??= this.#work().finally(() => (this.#working = undefined));
  }

  async #work(): Promise<void> {
    for (const hostname of this.#queue) {
      const lease = this.#shown(hostname);
      if (lease) await this.#take(hostname, identityKey(lease.identity));
      this.#queue.delete(hostname);
    }
  }

  async #take(hostname: string, owner: string): Promise<void> {
    const { chromium, publicPort, dialPublic, trustedKey, logger } = this.options;
    const proxy = new EgressProxy(`${hostname}:${publicPort()}`, dialPublic);
    let picture: Buffer | undefined;
    try {
      const url = `https://${hostname}:${publicPort()}/`;
      const job = { chromium, url, proxy: await proxy.start(), trustedKey: trustedKey() };
      picture = await takeScreenshot(job, this.#stop.signal);
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      logger.warn(
        { hostname, reason: (error as Error).message, refused: proxy.refused },
        'no thumbnail could be taken',
      );
    } finally {
      await proxy.stop();
    }
    const earlier = this.#kept.get(hostname);
    // An old thumbnail is kept as long as the hostname has the same identity.
    this.#keep(hostname, {
      owner,
      picture: picture ?? (earlier?.owner === owner ? earlier.picture : undefined),
      takenAt: Date.now(),
    });
  }

  #keep(hostname: string, kept: Kept): void {
    this.#drop(hostname);
    this.#kept.set(hostname, kept);
    this.#bytes += kept.picture?.length ?? 0;
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= maxPicturesBytes && this.#kept.size <= maxPictures) break;
      this.#drop(oldest);
    }
  }

  #drop(hostname: string): void {
    this.#bytes -= this.#kept.get(hostname)?.picture?.length ?? 0;
    this.#kept.delete(hostname);
  }
}
