/** Why a datagram was given up. */
export type DropReason =
  /** No tunnel was there to take it. */
  | 'no_tunnel'
  /** Its peer is new, and other leases have all the flows that there may be. */
  | 'too_many_flows'
  /** The path to the tunnel is slower than what comes in. */
  | 'slow_tunnel'
  /** The path to the tunnel does not carry any so large. */
  | 'too_large'
  /** The system does not take more for the public. */
  | 'slow_network'
  /** The lease's bandwidth is used up. */
  | 'bandwidth'
  /** An answer to a peer that is not there, or not any more. */
  | 'unknown_flow'
  /** The tunnel sent what is no datagram, or one that the public side cannot carry. */
  | 'malformed';

export const dropReasons = [
  'no_tunnel',
  'too_many_flows',
  'slow_tunnel',
  'too_large',
  'slow_network',
  'bandwidth',
  'unknown_flow',
  'malformed',
] as const satisfies readonly DropReason[];

/** Datagrams since the beginning, as the public sees them. */
export class DatagramCounters {
  /** From the public, passed on to a tunnel; and back. */
  up = 0;
  down = 0;
  readonly dropped = Object.fromEntries(dropReasons.map((reason) => [reason, 0])) as Record<DropReason, number>;

  get droppedInAll(): number {
    return dropReasons.reduce((sum, reason) => sum + this.dropped[reason], 0);
  }
}
