/** The names of what a relay keeps in Redis. All have the hash tag of its root host: one slot of a cluster. */
export function redisKeys(rootHost: string) {
  const key = (name: string) => `portal:{${rootHost}}:${name}`;
  return {
    leases: key('leases'),
    /** Which hostname has a port. */
    tcpPorts: key('ports:tcp'),
    /** Hostnames by when their names are free again. */
    kept: key('leases:kept'),
    /** A stream of changes, of which each node applies every one. */
    feed: key('feed'),
    revision: key('revision'),
    settings: key('policy:settings'),
    decisions: key('policy:decisions'),
    bannedIps: key('policy:ips'),
    sessions: key('admin:sessions'),
    audit: key('audit'),
    auditCounter: key('audit:counter'),
    challenges: key('challenges'),
    challengeExpiries: key('challenges:expiries'),
    challengeSources: key('challenges:sources'),
    /** Of the source that is appended. */
    challengesOfSource: key('challenges:of:'),
    nodes: key('nodes'),
    nodesSeen: key('nodes:seen'),
    owner: key('owner'),
    once: (name: string) => key(`once:${name}`),
  };
}

export type RedisKeys = ReturnType<typeof redisKeys>;

/** The highest revision that this node has seen: what it writes is above, also after Redis has lost its last writes. */
export class Revisions {
  #seen = 0;

  get seen(): number {
    return this.#seen;
  }

  saw(revision: number): void {
    this.#seen = Math.max(this.#seen, revision);
  }
}
