import { EntryLease } from '../../src/entry/entry-engine.js';

/** Whether the relay accepts connections in a worker thread here. */
export const hasEntryWorker = process.platform === 'linux' && process.env.TEST_DATA_PLANE !== 'node';

/** What this process has lent to entry workers. */
export const lendings = {
  /** Sessions so far. */
  count: 0,
  leases: [] as EntryLease[],
  /** Connections in the workers. */
  get live(): number {
    return this.leases.reduce((sum, { slot, isThere }) => sum + (isThere ? slot.live : 0), 0);
  },
  /** Idle sessions in the workers. */
  get ready(): number {
    return this.leases.reduce((sum, { slot, isThere }) => sum + (isThere ? slot.ready : 0), 0);
  },
  reset(): void {
    this.count = 0;
    this.leases = [];
  },
};

const { lend } = EntryLease.prototype;
EntryLease.prototype.lend = function (...session) {
  if (!lendings.leases.includes(this)) lendings.leases.push(this);
  lendings.count++;
  return lend.apply(this, session);
};
