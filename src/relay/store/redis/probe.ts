import type { RedisAddress } from './redis-address.js';
import { RedisClient } from './redis-client.js';
import { redisKeys } from './redis-keys.js';

export interface FoundRedis {
  version: string;
  /** How far its clock is ahead of this machine's. */
  clockSkewMs: number;
  /** The relay whose state it has. */
  owner: string | undefined;
  nodes: number;
  /** Whether it removes keys when its memory is full. */
  evicts: boolean;
  /** Whether it writes each change to disk. */
  isDurable: boolean;
}

/** Looks at a Redis, without changing anything. @throws StoreUnavailableError */
export async function probeRedis(address: RedisAddress, rootHost: string): Promise<FoundRedis> {
  const client = new RedisClient(address, () => undefined);
  const keys = redisKeys(rootHost);
  try {
    await client.connect();
    const info = await client.call((redis) => redis.info());
    const fact = (name: string) => new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(info)?.[1] ?? '';
    const before = Date.now();
    const [seconds, micros] = (await client.call((redis) => redis.time())).map(Number);
    const now = (before + Date.now()) / 2;
    return {
      version: fact('redis_version'),
      clockSkewMs: seconds! * 1_000 + micros! / 1_000 - now,
      owner: (await client.call((redis) => redis.get(keys.owner))) ?? undefined,
      nodes: await client.call((redis) => redis.hlen(keys.nodes)),
      evicts: !['', 'noeviction'].includes(fact('maxmemory_policy')),
      isDurable: fact('aof_enabled') === '1',
    };
  } finally {
    client.close();
  }
}
