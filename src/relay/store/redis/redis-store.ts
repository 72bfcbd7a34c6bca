import { randomUUID } from 'node:crypto';
import {
  type ChallengeRecord,
  LeaseChangedError,
  type LeaseRecord,
  nameReservationMs,
  type PortRecord,
  PortTakenError,
  type Store,
} from '../store.js';
import { leaseOfValue } from './lease-value.js';
import type { RedisAddress } from './redis-address.js';
import { RedisClient } from './redis-client.js';
import { RedisGovernance } from './redis-governance.js';
import { redisKeys, type RedisKeys, Revisions } from './redis-keys.js';
import { RedisShared } from './redis-shared.js';

const maxOpenChallenges = 20_000;

export interface RedisStoreOptions {
  address: RedisAddress;
  rootHost: string;
  /** The relay's signing address: what is in the store is that relay's. */
  owner: string;
  /** Hears of connections that fail, which are made anew, and of what cannot be read. */
  onError(error: Error): void;
}

/** The store that the nodes of a relay share: Redis from 6.2, or Valkey. */
export class RedisStore implements Store {
  readonly governance: RedisGovernance;
  readonly shared: RedisShared;
  readonly #redis: RedisClient;
  readonly #keys: RedisKeys;
  readonly #revisions = new Revisions();
  readonly #onError: (error: Error) => void;

  private constructor({ address, rootHost, owner, onError }: RedisStoreOptions) {
    this.#onError = onError;
    this.#redis = new RedisClient(address, onError);
    this.#keys = redisKeys(rootHost);
    this.governance = new RedisGovernance(this.#redis, this.#keys, this.#revisions);
    const node = { id: randomUUID(), owner };
    this.shared = new RedisShared(this.#redis, address, this.#keys, this.#revisions, node, onError);
  }

  /** @throws StoreUnavailableError; Error when what is in it is of another relay */
  static async open(options: RedisStoreOptions): Promise<RedisStore> {
    const store = new RedisStore(options);
    try {
      await store.#redis.connect();
      await store.shared.start();
      return store;
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  async putChallenge(challenge: ChallengeRecord): Promise<void> {
    const { id, expiresAt, source } = challenge;
    await this.#redis.run('putChallenge', this.#challengeKeys(), [
      id,
      JSON.stringify(challenge),
      expiresAt,
      source,
      maxOpenChallenges,
    ]);
  }

  async takeChallenge(id: string): Promise<ChallengeRecord | undefined> {
    const text = (await this.#redis.run('takeChallenge', this.#challengeKeys(), [id])) as string;
    return text === '' ? undefined : (JSON.parse(text) as ChallengeRecord);
  }

  async putLease(lease: LeaseRecord): Promise<number> {
    const { revision: expected = 0, ...record } = lease;
    const { leases, kept, feed, revision, tcpPorts } = this.#keys;
    const keptUntil = record.keptUntil ?? record.expiresAt + nameReservationMs;
    const [written, current] = (await this.#redis.run(
      'putLease',
      [leases, kept, feed, revision, tcpPorts],
      [record.hostname, expected, keptUntil, JSON.stringify(record), this.#revisions.seen, record.tcpPort ?? ''],
    )) as [number, string];
    if (written < 0) throw new PortTakenError(`TCP port ${record.tcpPort} is of another lease`);
    if (written === 0) throw new LeaseChangedError(record.hostname, leaseOfValue(current));
    this.#revisions.saw(written);
    return written;
  }

  async putLeases(): Promise<void> {
    throw new Error('leases of a shared store are written one by one, each on top of its revision');
  }

  async deleteLease(lease: LeaseRecord, now: number): Promise<number> {
    // Other nodes may serve it until they hear of it; one that is cut off does so no longer than this.
    const keptUntil = Math.max(lease.expiresAt, now) + nameReservationMs;
    return await this.putLease({ ...lease, expiresAt: now, ended: true, keptUntil });
  }

  async loadLeases(): Promise<{ leases: LeaseRecord[]; lastWriteAt: number }> {
    const leases: LeaseRecord[] = [];
    let cursor = '0';
    do {
      const [next, found] = await this.#redis.call((redis) => redis.hscan(this.#keys.leases, cursor, 'COUNT', 1_000));
      for (let at = 1; at < found.length; at += 2) {
        try {
          leases.push(leaseOfValue(found[at]!)!);
        } catch (cause) {
          this.#onError(new Error(`the lease of ${found[at - 1]} in the store cannot be read`, { cause }));
        }
      }
      cursor = next;
    } while (cursor !== '0');
    for (const { revision = 0 } of leases) this.#revisions.saw(revision);
    return { leases, lastWriteAt: this.shared.now() };
  }

  // Ports are kept with the leases that have them.

  async putPorts(): Promise<void> {}

  async deletePorts(): Promise<void> {}

  async loadPorts(): Promise<PortRecord[]> {
    return [];
  }

  async close(): Promise<void> {
    await this.shared.stop();
    this.#redis.close();
  }

  #challengeKeys(): string[] {
    const { challenges, challengeExpiries, challengeSources, challengesOfSource } = this.#keys;
    return [challenges, challengeExpiries, challengeSources, challengesOfSource];
  }
}
