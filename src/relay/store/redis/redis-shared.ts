import type { AdminSessionRecord } from '../governance-store.js';
import {
  type LeaseRecord,
  nameReservationMs,
  type NodeRecord,
  type SharedStore,
  type StoreChange,
  StoreUnavailableError,
} from '../store.js';
import { sleep } from '../../../sdk/lease/sleep.js';
import { repeat } from '../../../util/boundary.js';
import { leaseOfValue } from './lease-value.js';
import type { RedisAddress } from './redis-address.js';
import { RedisClient } from './redis-client.js';
import { policyChangeOf } from './redis-governance.js';
import type { RedisKeys, Revisions } from './redis-keys.js';

const reportIntervalMs = 2_000;
/** Of the store, until it counts as away. */
const longestSilenceMs = 3 * reportIntervalMs;
/** A node that is silent for so long is not asked any more. */
const silenceMs = 10_000;
/** How long one reading of the feed waits for changes. */
const feedWaitMs = 2_000;
const changesAtOnce = 1_000;
const retryDelayMs = 500;
/** After the store was away: until tunnels have renewed their leases, which they do at half of their time. */
const settlingMs = 30_000;

/** What nodes tell each other through Redis: a stream of changes, who is there, and the time. */
export class RedisShared implements SharedStore {
  readonly #redis: RedisClient;
  /** A connection of its own, since reading the feed waits. */
  readonly #feed: RedisClient;
  readonly #stopping = new AbortController();
  #reporter: NodeJS.Timeout | undefined;
  #following: Promise<void> = Promise.resolve();
  #address = '';
  #nodes: NodeRecord[] = [];
  /** Between the store's clock and `performance.now()`: local clocks that are set have no part in it. */
  #offset = Date.now() - performance.now();
  #answeredAt = -Infinity;
  /** Until when expiries are not certain, after the store was away. */
  #settledAt = -Infinity;
  #lastId = '0-0';
  #lastRevision: number | undefined;
  #mustReload = false;

  constructor(
    redis: RedisClient,
    address: RedisAddress,
    private readonly keys: RedisKeys,
    private readonly revisions: Revisions,
    private readonly node: { id: string; owner: string },
    private readonly onError: (error: Error) => void,
  ) {
    this.#redis = redis;
    this.#feed = new RedisClient(address, onError, 2 * feedWaitMs + 1_000);
  }

  /** Looks at the clock, the owner, and where the feed is. @throws StoreUnavailableError; Error when it is another relay's */
  async start(): Promise<void> {
    await this.#feed.connect();
    await this.#report();
    await this.#toEndOfFeed();
  }

  now(): number {
    return Math.round(performance.now() + this.#offset);
  }

  get isUp(): boolean {
    return this.#redis.isReady && !this.#isAway(performance.now());
  }

  get graceMs(): number {
    const now = performance.now();
    return this.#isAway(now) || now < this.#settledAt ? nameReservationMs : 0;
  }

  #isAway(now: number): boolean {
    return now - this.#answeredAt > longestSilenceMs;
  }

  nodes(): NodeRecord[] {
    return this.#nodes;
  }

  async join(address: string): Promise<void> {
    this.#address = address;
    await this.#report();
    const report = async () => {
      await this.#report().catch(() => undefined);
      await this.#redis.run('reapLeases', [this.keys.leases, this.keys.kept], []).catch(() => undefined);
    };
    this.#reporter = repeat('node report', report, reportIntervalMs);
  }

  follow(listener: (change: StoreChange) => void, reload: () => Promise<void>): void {
    this.#following = this.#follow(listener, reload);
  }

  async readLease(hostname: string): Promise<LeaseRecord | undefined> {
    const value = await this.#redis.call((redis) => redis.hget(this.keys.leases, hostname));
    return leaseOfValue(value ?? '');
  }

  async putOnce(key: string, value: string, ttlMs: number): Promise<boolean> {
    return (await this.#redis.call((redis) => redis.set(this.keys.once(key), value, 'PX', ttlMs, 'NX'))) === 'OK';
  }

  async take(key: string): Promise<string | undefined> {
    return (await this.#redis.call((redis) => redis.getdel(this.keys.once(key)))) ?? undefined;
  }

  /** Leaves the others. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    clearInterval(this.#reporter);
    if (this.#reporter && this.#redis.isReady) await this.#tell('').catch(() => undefined);
    this.#feed.close();
    await this.#following;
  }

  async #report(): Promise<void> {
    const { id } = this.node;
    const before = performance.now();
    const told = this.#address === '' ? '' : JSON.stringify({ id, address: this.#address } satisfies NodeRecord);
    const [time, revision, owner, ...nodes] = await this.#tell(told);
    const after = performance.now();
    if (this.#answeredAt > 0 && this.#isAway(after)) this.#settledAt = after + settlingMs;
    this.#offset = time - (before + after) / 2;
    this.#answeredAt = after;
    if (owner !== this.node.owner)
      throw new Error(
        `the store belongs to the relay ${owner}: its nodes have the same identity.json (--identity-file), so copy it from another node`,
      );
    // It has lost its last writes, or all of them.
    if (revision < this.revisions.seen) this.#mustReload = true;
    // At the same address was this node before it started again.
    this.#nodes = nodes
      .map((text) => JSON.parse(text) as NodeRecord)
      .filter(({ address }) => address !== this.#address);
  }

  async #tell(node: string): Promise<[time: number, revision: number, owner: string, ...nodes: string[]]> {
    const { nodes, nodesSeen, revision, owner } = this.keys;
    const args = [this.node.id, node, silenceMs, this.node.owner];
    const reply = await this.#redis.run('report', [nodes, nodesSeen, revision, owner], args);
    return reply as [number, number, string, ...string[]];
  }

  async #toEndOfFeed(): Promise<void> {
    const [last] = await this.#redis.call((redis) => redis.xrevrange(this.keys.feed, '+', '-', 'COUNT', 1));
    this.#lastId = last?.[0] ?? '0-0';
    this.#lastRevision = last && Number(last[1][1]);
    if (this.#lastRevision !== undefined) this.revisions.saw(this.#lastRevision);
  }

  /** Never rejects. */
  async #follow(listener: (change: StoreChange) => void, reload: () => Promise<void>): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        if (this.#mustReload) {
          this.#mustReload = false;
          await this.#toEndOfFeed();
          await reload();
        }
        await this.#read(listener);
      } catch (error) {
        // Something may be missed meanwhile.
        this.#mustReload = true;
        // Broken connections are told by the client.
        if (!(error instanceof StoreUnavailableError)) this.onError(error as Error);
        if (!signal.aborted) await sleep(retryDelayMs, signal);
      }
    }
  }

  #understood(kind: string, text: string, revision: number): StoreChange | undefined {
    try {
      return changeOf(kind, text, revision);
    } catch (cause) {
      this.onError(new Error(`change ${revision} of the store cannot be read`, { cause }));
      return undefined;
    }
  }

  async #read(listener: (change: StoreChange) => void): Promise<void> {
    const { feed } = this.keys;
    const reply = await this.#feed.call((redis) =>
      redis.xread('COUNT', changesAtOnce, 'BLOCK', feedWaitMs, 'STREAMS', feed, this.#lastId),
    );
    for (const [id, [, revision = '', , kind = '', , text = '']] of reply?.[0]?.[1] ?? []) {
      const number = Number(revision);
      // Revisions have no gaps: something was trimmed, or lost.
      if (this.#lastRevision !== undefined && number !== this.#lastRevision + 1) this.#mustReload = true;
      this.#lastRevision = number;
      this.#lastId = id;
      this.revisions.saw(number);
      const change = this.#understood(kind, text, number);
      if (change) listener(change);
    }
  }
}

/** @returns undefined for what this release does not know */
function changeOf(kind: string, text: string, revision: number): StoreChange | undefined {
  if (kind === 'lease') {
    // Its value has no revision yet: the script writes it with the one that it had taken.
    const lease = { ...leaseOfValue(text)!, revision };
    return { kind, hostname: lease.hostname, lease };
  }
  if (kind === 'policy') {
    const [about, key, value] = JSON.parse(text) as [string, string, string];
    return { kind, change: policyChangeOf(about, key, value), revision };
  }
  if (kind === 'session') {
    const [how, session] = JSON.parse(text) as [string, string];
    return { kind, session: JSON.parse(session) as AdminSessionRecord, isOpen: how === 'open' };
  }
  return undefined;
}
