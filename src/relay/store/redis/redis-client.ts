import { Cluster, Redis } from 'ioredis';
import { StoreUnavailableError } from '../store.js';
import type { RedisAddress } from './redis-address.js';
import { type ScriptName, scripts } from './scripts.js';

/** A call that takes longer has failed, though it may still take effect. */
const commandTimeoutMs = 2_000;
const firstConnectionMs = 10_000;
const longestReconnectDelayMs = 2_000;

type Client = Redis | Cluster;
type Reply = string | number | null | Reply[];

/** A connection to Redis, or to a cluster, that is made anew whenever it breaks. Calls fail at once while there is none. */
export class RedisClient {
  readonly #client: Client;

  /** @param timeoutMs of each call @param onError hears of connections that fail, which are made anew */
  constructor(address: RedisAddress, onError: (error: Error) => void, timeoutMs = commandTimeoutMs) {
    const retryStrategy = (times: number) => Math.min(100 * times, longestReconnectDelayMs);
    const common = {
      enableOfflineQueue: false,
      lazyConnect: true,
    } as const;
    const ofConnection = {
      connectTimeout: commandTimeoutMs,
      commandTimeout: timeoutMs,
      maxRetriesPerRequest: 0,
      // After a failover a former master accepts no writes: what it answers to is looked for again.
      reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
    };
    this.#client =
      address.kind === 'cluster'
        ? new Cluster(address.nodes, {
            ...common,
            clusterRetryStrategy: retryStrategy,
            redisOptions: { ...address.options, ...ofConnection },
          })
        : new Redis({
            ...address.options,
            ...common,
            ...ofConnection,
            retryStrategy,
            sentinelRetryStrategy: retryStrategy,
          });
    // boundary: cannot throw.
    this.#client.on('error', onError);
    for (const [name, script] of Object.entries(scripts)) this.#client.defineCommand(name, script);
  }

  /** @throws StoreUnavailableError when there is no connection in time */
  async connect(): Promise<void> {
    const late = new Promise<never>((_, reject) => {
      const fail = () => reject(new Error(`no connection within ${firstConnectionMs / 1_000} s`));
      setTimeout(fail, firstConnectionMs).unref();
    });
    // Sentinels and clusters are asked again and again.
    await this.#done(Promise.race([this.#client.connect(), late]));
  }

  get isReady(): boolean {
    return this.#client.status === 'ready';
  }

  /** Runs a script of `scripts`. @throws StoreUnavailableError */
  async run(name: ScriptName, keys: string[], args: (string | number)[]): Promise<Reply> {
    const run = (this.#client as unknown as Record<ScriptName, (...all: (string | number)[]) => Promise<Reply>>)[name];
    return await this.#done(run.apply(this.#client, [...keys, ...args]));
  }

  /** Makes a call. @throws StoreUnavailableError */
  async call<Result>(make: (client: Client) => Promise<Result>): Promise<Result> {
    return await this.#done(make(this.#client));
  }

  close(): void {
    this.#client.disconnect();
  }

  async #done<Result>(call: Promise<Result>): Promise<Result> {
    try {
      return await call;
    } catch (cause) {
      throw new StoreUnavailableError(`Redis: ${(cause as Error).message}`, { cause });
    }
  }
}
