import { existsSync } from 'node:fs';
import type { RelayConfig } from '../../../relay/config/config.js';
import { probeRedis } from '../../../relay/store/redis/probe.js';
import { readIdentityFile } from '../../../sdk/identity/identity-file.js';
import type { Tell } from '../../support/finding.js';

const oldestVersion = [6, 2] as const;
/** By which a node's clock may be off without a word: nodes go by the store's. */
const mostClockSkewMs = 60_000;

/** What several nodes share. */
export async function lookAtStore({ cluster, portalUrl, identityFile }: RelayConfig, tell: Tell): Promise<void> {
  if (!cluster) return;
  const about = 'store';
  const found = await probeRedis(cluster.store, portalUrl.hostname).catch((error: Error) => {
    tell('problem', about, `${error.message}: --store must lead to a Redis that this machine reaches`);
  });
  if (!found) return;
  const [major = 0, minor = 0] = found.version.split('.').map(Number);
  if (major < oldestVersion[0] || (major === oldestVersion[0] && minor < oldestVersion[1]))
    return tell('problem', about, `Redis ${found.version} is too old: at least ${oldestVersion.join('.')} is needed`);
  const skew = Math.round(found.clockSkewMs / 1_000);
  if (Math.abs(found.clockSkewMs) > mostClockSkewMs)
    tell('warning', about, `its clock is ${Math.abs(skew)} s ${skew > 0 ? 'ahead of' : 'behind'} this machine's`);
  if (found.evicts)
    tell('problem', about, `it may evict keys when its memory is full: set maxmemory-policy to noeviction`);
  const own = existsSync(identityFile) ? (await readIdentityFile(identityFile)).address : undefined;
  if (found.owner !== undefined && found.owner !== own)
    return tell(
      'problem',
      about,
      `it belongs to the relay ${found.owner}: copy the file of another node to ${identityFile}`,
    );
  const durable = found.isDurable
    ? ''
    : ', which keeps nothing on disk (appendonly): decisions are lost if all nodes end with it';
  tell(
    found.isDurable ? 'ok' : 'warning',
    about,
    `Redis ${found.version} answers, with ${found.nodes} nodes${durable}`,
  );
}
