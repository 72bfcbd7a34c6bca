/** Ports with consecutive numbers. */
export interface PortBlock {
  readonly first: number;
  readonly count: number;
}

export function portsOf({ first, count }: PortBlock): number[] {
  return Array.from({ length: count }, (_, offset) => first + offset);
}

/** `20017`, or `20017-20019`. */
export function describeBlock({ first, count }: PortBlock): string {
  return count === 1 ? String(first) : `${first}-${first + count - 1}`;
}
