/** The names of what a relay keeps in Redis. All have the hash tag of its root host: one slot of a cluster. */
export class RedisKeys {
  constructor(private readonly rootHost: string) {}

  readonly leases = this.#key('leases');
  /** Hostnames by when their names are free again. */
  readonly kept = this.#key('leases:kept');
  /** A stream of changes, of which each node applies every one. */
  readonly feed = this.#key('feed');
  readonly revision = this.#key('revision');
  readonly settings = this.#key('policy:settings');
  readonly decisions = this.#key('policy:decisions');
  readonly bannedIps = this.#key('policy:ips');
  readonly sessions = this.#key('admin:sessions');
  readonly audit = this.#key('audit');
  readonly auditCounter = this.#key('audit:counter');
  readonly challenges = this.#key('challenges');
  readonly challengeExpiries = this.#key('challenges:expiries');
  readonly challengeSources = this.#key('challenges:sources');
  readonly challengesOfSource = this.#key('challenges:of:');
  readonly nodes = this.#key('nodes');
  readonly nodesSeen = this.#key('nodes:seen');
  readonly owner = this.#key('owner');

  once(key: string): string {
    return this.#key(`once:${key}`);
  }

  #key(name: string): string {
    return `portal:{${this.rootHost}}:${name}`;
  }
}

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
