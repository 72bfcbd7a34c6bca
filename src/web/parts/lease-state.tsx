import type { Lease } from '../api.js';
import { words } from '../words.js';

const text = words.leases;

export function LeaseState({ listed: { lease, connections } }: { listed: Lease }) {
  const [kind, label] = !lease.is_approved
    ? ['waiting', text.waiting]
    : lease.ready + connections > 0
      ? ['good', text.serving]
      : ['idle', text.idle];
  return (
    <>
      <span className={`badge ${kind}`}>{label}</span>
      {lease.bps !== undefined && <span className="badge">{text.limited}</span>}
    </>
  );
}
