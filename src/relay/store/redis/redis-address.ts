import type { RedisOptions } from 'ioredis';

/** Where a Redis is. */
export type RedisAddress =
  | { kind: 'single'; options: Connecting & Pick<RedisOptions, 'db' | 'host' | 'port' | SentinelOption> }
  | { kind: 'cluster'; nodes: { host: string; port: number }[]; options: Connecting };

type Connecting = Pick<RedisOptions, 'username' | 'password' | 'tls'>;
type SentinelOption = 'sentinels' | 'name' | 'enableTLSForSentinelMode' | 'sentinelTLS';

const defaultPort = 6379;
const defaultSentinelPort = 26_379;
const forms = 'redis://, rediss:// (TLS), redis+sentinel://HOST,HOST/NAME or redis+cluster://HOST,HOST';

/**
 * Reads the address of a Redis or Valkey:
 * - `redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]`, and `rediss://` with TLS,
 * - `redis+sentinel://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]...]/NAME[/DATABASE]`: what Sentinels say is the master NAME,
 * - `redis+cluster://[USER:PASSWORD@]HOST[:PORT][,...]`: a Redis Cluster; `rediss+sentinel://` and `rediss+cluster://` with TLS.
 *
 * User and password are percent-encoded.
 * @param ca PEM certificates to trust for TLS instead of the well-known ones
 * @throws Error that does not repeat the password
 */
export function parseRedisAddress(text: string, ca?: string): RedisAddress {
  const [, scheme = '', userInfo, hosts = '', path = ''] =
    /^([a-z+]+):\/\/(?:([^@/]*)@)?([^@/?#]+)(?:\/([^?#]*))?$/.exec(text) ?? [];
  const [transport, kind = 'single'] = scheme.split('+');
  if (!['redis', 'rediss'].includes(transport ?? '') || !['single', 'sentinel', 'cluster'].includes(kind))
    throw new Error(`must be ${forms}`);
  const tls = transport === 'rediss' ? { ...(ca === undefined ? {} : { ca }) } : undefined;
  if (ca !== undefined && !tls) throw new Error('a CA is for TLS: write rediss:// instead of redis://');
  const colon = userInfo?.indexOf(':') ?? -1;
  const [username, password] =
    userInfo === undefined ? [] : [decode(userInfo.slice(0, Math.max(colon, 0))), decode(userInfo.slice(colon + 1))];
  const login = { ...(username ? { username } : {}), ...(password ? { password } : {}) };
  const nodes = hosts
    .split(',')
    .map((host) => hostAndPort(host, kind === 'sentinel' ? defaultSentinelPort : defaultPort));
  const parts = path === '' ? [] : path.split('/');
  if (kind === 'cluster') {
    if (parts.length > 0) throw new Error('a Redis Cluster has one database: leave out what comes after the hosts');
    return { kind, nodes, options: { ...login, ...(tls ? { tls } : {}) } };
  }
  const name = kind === 'sentinel' ? parts.shift() : undefined;
  if (kind === 'sentinel' && !name)
    throw new Error('name the master after the Sentinels: redis+sentinel://HOST,HOST/NAME');
  const db = parts.length === 0 ? 0 : Number(parts[0]);
  if (parts.length > 1 || !Number.isInteger(db) || db < 0) throw new Error('the database is a number, after the host');
  const common = { ...login, db, ...(tls ? { tls } : {}) };
  if (kind === 'sentinel')
    return {
      kind: 'single',
      options: {
        ...common,
        sentinels: nodes,
        name: name!,
        ...(tls ? { enableTLSForSentinelMode: true, sentinelTLS: tls } : {}),
      },
    };
  if (nodes.length > 1) throw new Error('several hosts are for redis+sentinel:// and redis+cluster://');
  return { kind: 'single', options: { ...common, ...nodes[0] } };
}

function hostAndPort(text: string, port: number): { host: string; port: number } {
  const [, bracketed, plain, given] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+))(?::([0-9]{1,5}))?$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (!host || (given !== undefined && Number(given) > 65_535)) throw new Error(`${text} is not a host with a port`);
  return { host, port: given === undefined ? port : Number(given) };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Error('user and password are percent-encoded');
  }
}
