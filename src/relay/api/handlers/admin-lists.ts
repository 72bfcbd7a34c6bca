import type { Request } from 'express';
import type { SuccessData, operations } from '../../../contract/index.js';
import { identityKey } from '../../../contract/lease-identity.js';
import type { Lease } from '../../leases/lease.js';
import type { DecisionRecord } from '../../store/governance-store.js';
import { CostlyValue } from '../../../util/costly-value.js';
import { type SnapshotParts, snapshotIdentity, snapshotLease } from './admin-snapshot.js';

/** Share of the time that may go into one sorted list: pages ask often, and each decision has them ask again. */
const sortingShare = 0.1;
/** Lists that are kept, one for each search and order. */
const maxLists = 8;

type LeaseQuery = NonNullable<operations['listLeases']['parameters']['query']>;

/** Lists by what was asked for; the one that was begun first is dropped for another. */
class Lists<Item> {
  readonly #lists = new Map<string, CostlyValue<Item[]>>();

  get(asked: unknown[], make: () => Item[]): Item[] {
    const key = JSON.stringify(asked);
    let list = this.#lists.get(key);
    if (list === undefined) {
      if (this.#lists.size >= maxLists) this.#lists.delete(this.#lists.keys().next().value as string);
      this.#lists.set(key, (list = new CostlyValue(make, sortingShare)));
    }
    return list.get();
  }
}

/** What admins list: searched, filtered, sorted, and given in parts. */
export class AdminLists {
  readonly #leases = new Lists<Lease>();
  readonly #identities = new Lists<Readonly<DecisionRecord>>();
  readonly #ips = new Lists<string>();

  constructor(private readonly parts: SnapshotParts) {}

  leases(request: Request): SuccessData<'listLeases'> {
    const { offset, limit, search = '', state, sort, order } = request.query as unknown as Part & LeaseQuery;
    const matching = this.#leases.get([search, state, sort, order], () => {
      const wanted = search.toLowerCase();
      const leases: Lease[] = [];
      for (const lease of this.parts.leases.live())
        if (this.#isIn(lease, state) && (wanted === '' || isFound(lease, wanted))) leases.push(lease);
      leases.sort((a, b) => (a.hostname < b.hostname ? -1 : 1));
      return sort === 'hostname' && order === 'asc' ? leases : sortBy(leases, this.#valueFor(sort), order === 'desc');
    });
    return {
      total: this.parts.leases.size,
      matching: matching.length,
      leases: matching.slice(offset, offset + limit).map((lease) => this.listed(lease)),
    };
  }

  /** Identities with a decision or a limit. */
  identities(request: Request): SuccessData<'listIdentities'> {
    const { policy } = this.parts;
    const { search = '', state, offset, limit } = request.query as unknown as Part & { state?: IdentityState };
    const matching = this.#identities.get([search, state], () => {
      const wanted = search.toLowerCase();
      const found = [...policy.decisions].filter((each) => isOf(each, state) && identityKey(each).includes(wanted));
      return sortBy(found, identityKey);
    });
    const identities = matching.slice(offset, offset + limit).map((each) => snapshotIdentity(policy, each));
    return { total: policy.decided, matching: matching.length, identities };
  }

  /** Banned source addresses. */
  bannedIps(request: Request): SuccessData<'listBannedIps'> {
    const { policy } = this.parts;
    const { search = '', offset, limit } = request.query as unknown as Part;
    const matching = this.#ips.get([search], () => {
      const wanted = search.toLowerCase();
      return [...policy.bannedIps].filter((ip) => ip.includes(wanted)).sort();
    });
    return { total: policy.banned, matching: matching.length, ips: matching.slice(offset, offset + limit) };
  }

  listed(lease: Lease): SuccessData<'listLeases'>['leases'][number] {
    const sessions = this.parts.sessions.peek(lease);
    return {
      lease: snapshotLease(this.parts, lease),
      connections: sessions?.connections ?? 0,
      received: sessions?.traffic.up ?? 0,
      sent: sessions?.traffic.down ?? 0,
    };
  }

  #isIn(lease: Lease, state: LeaseQuery['state']): boolean {
    const { sessions, policy } = this.parts;
    switch (state) {
      case 'reached':
        return sessions.isAlive(lease);
      case 'unreached':
        return !sessions.isAlive(lease);
      case 'waiting':
        return !policy.mayServe(identityKey(lease.identity));
      default:
        return true;
    }
  }

  #valueFor(sort: LeaseQuery['sort']): (lease: Lease) => string | number {
    const { sessions } = this.parts;
    switch (sort) {
      case 'first_seen_at':
        return (lease) => lease.firstSeenAt;
      case 'last_seen_at':
        return (lease) => lease.lastSeenAt;
      case 'client_ip':
        return (lease) => lease.clientIp;
      case 'ready':
        return (lease) => sessions.peek(lease)?.ready ?? 0;
      case 'connections':
        return (lease) => sessions.peek(lease)?.connections ?? 0;
      case 'traffic':
        return (lease) => {
          const { up, down } = sessions.peek(lease)?.traffic ?? { up: 0, down: 0 };
          return up + down;
        };
      default:
        return (lease) => lease.hostname;
    }
  }
}

function isFound({ hostname, identity, clientIp, reportedIp, metadata, group }: Lease, wanted: string): boolean {
  const texts = [hostname, identity.address, clientIp, reportedIp, metadata.description, metadata.owner, group?.name];
  return [...texts, ...(metadata.tags ?? [])].some((text) => text?.toLowerCase().includes(wanted));
}

/** Values are read once: they change while others are compared. Those that are equal stay in the order of hostnames. */
function sortBy<Item>(items: Item[], valueOf: (item: Item) => string | number, isDescending = false): Item[] {
  const sign = isDescending ? -1 : 1;
  const pairs = items.map((item) => ({ item, value: valueOf(item) }));
  pairs.sort((a, b) => (a.value === b.value ? 0 : a.value < b.value ? -sign : sign));
  return pairs.map(({ item }) => item);
}

interface Part {
  search?: string;
  offset: number;
  limit: number;
}
type IdentityState = 'approved' | 'denied' | 'banned' | 'limited';

function isOf({ approved, denied, banned, bps }: Readonly<DecisionRecord>, state: IdentityState | undefined): boolean {
  if (state === undefined) return true;
  return { approved, denied, banned, limited: bps !== undefined }[state];
}
