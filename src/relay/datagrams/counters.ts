/** Why a datagram was dropped. */
export type DropReason =
  /** No tunnel was connected. */
  | 'no_tunnel'
  /** The peer is new and the relay's flows are used up by other leases. */
  | 'too_many_flows'
  /** The path to the tunnel is slower than the source. */
  | 'slow_tunnel'
  /** Too large for the path to the tunnel. */
  | 'too_large'
  /** The system's send queue for the public port is full. */
  | 'slow_network'
  /** The lease has used up its bandwidth. */
  | 'bandwidth'
  /** A response to an unknown or expired flow. */
  | 'unknown_flow'
  /** The tunnel sent an invalid frame, or a datagram too large for the public side. */
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

/** Datagrams since the start, as the public sees them. */
export class DatagramCounters {
  /** Passed on from the public to a tunnel, and back. */
  up = 0;
  down = 0;
  readonly dropped = Object.fromEntries(dropReasons.map((reason) => [reason, 0])) as Record<DropReason, number>;

  get droppedInAll(): number {
    return dropReasons.reduce((sum, reason) => sum + this.dropped[reason], 0);
  }
}
