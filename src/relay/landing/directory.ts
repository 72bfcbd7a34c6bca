import { CostlyValue } from '../../util/costly-value.js';
import type { Lease } from '../leases/lease.js';

/** Services on one page. */
export const servicesAPage = 48;
/** Share of the time that may go into sorting all leases. */
const sortingShare = 0.05;

export interface DirectoryParts {
  leases(): Iterable<Lease>;
  /** Whether visitors are routed to the lease. */
  mayServe(lease: Lease): boolean;
  isAlive(lease: Lease): boolean;
}

export interface DirectoryQuery {
  /** Text that is looked for, in any case. */
  q?: string | undefined;
  tag?: string | undefined;
  /** From 1. */
  page: number;
}

export interface Entry {
  lease: Lease;
  online: boolean;
}

export interface DirectoryPage {
  entries: Entry[];
  /** Services that match. */
  matching: number;
  /** Services that are listed at all, and those of them that are online. */
  total: number;
  online: number;
  pages: number;
}

/** The services that the landing page lists: online ones before the others, each by name. */
export class Directory {
  readonly #sorted = new CostlyValue(() => this.#sort(), sortingShare);

  constructor(private readonly parts: DirectoryParts) {}

  find({ q = '', tag, page }: DirectoryQuery): DirectoryPage {
    const all = this.#sorted.get();
    const wanted = q.trim().toLowerCase();
    const matching =
      wanted === '' && tag === undefined
        ? all
        : all.filter(
            ({ lease }) => (tag === undefined || hasTag(lease, tag)) && (wanted === '' || isFound(lease, wanted)),
          );
    const pages = Math.max(1, Math.ceil(matching.length / servicesAPage));
    const first = (Math.min(page, pages) - 1) * servicesAPage;
    return {
      // Between two sorts the operator may have refused some.
      entries: matching.slice(first, first + servicesAPage).filter(({ lease }) => this.#isListed(lease)),
      matching: matching.length,
      total: all.length,
      online: all.reduce((count, { online }) => count + (online ? 1 : 0), 0),
      pages,
    };
  }

  #isListed(lease: Lease): boolean {
    return lease.metadata.hide !== true && this.parts.mayServe(lease);
  }

  #sort(): Entry[] {
    const entries: Entry[] = [];
    for (const lease of this.parts.leases())
      if (this.#isListed(lease)) entries.push({ lease, online: this.parts.isAlive(lease) });
    return entries.sort((a, b) => {
      if (a.online !== b.online) return a.online ? -1 : 1;
      return a.lease.hostname < b.lease.hostname ? -1 : 1;
    });
  }
}

const hasTag = ({ metadata: { tags = [] } }: Lease, tag: string) => tags.includes(tag);

function isFound({ hostname, metadata: { description, owner, tags = [] } }: Lease, wanted: string): boolean {
  return [hostname, description, owner, ...tags].some((text) => text?.toLowerCase().includes(wanted));
}
