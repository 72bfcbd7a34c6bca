import type { LeaseRecord } from '../store.js';

/** Reads `revision:kept until:JSON`, as the script `putLease` writes it. @returns undefined for an empty text */
export function leaseOfValue(value: string): LeaseRecord | undefined {
  if (value === '') return undefined;
  const afterRevision = value.indexOf(':') + 1;
  const afterKept = value.indexOf(':', afterRevision) + 1;
  return {
    ...(JSON.parse(value.slice(afterKept)) as LeaseRecord),
    revision: Number(value.slice(0, afterRevision - 1)),
    keptUntil: Number(value.slice(afterRevision, afterKept - 1)),
  };
}
