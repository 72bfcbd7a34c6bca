import { randomBytes } from 'node:crypto';
import type { Group, Lease } from './lease.js';

export const maxMembers = 16;

export const memberId = () => randomBytes(9).toString('base64url');

/** A group with its first member. */
export function newGroup(name: string, expiresAt: number): Group {
  return { name, members: new Map([[memberId(), { expiresAt, tokenExpiresAt: expiresAt }]]) };
}

/** A copy of the lease with a new expiry: a member's, and what follows from it, if it has a group. */
export function withMember(lease: Lease, member: string | undefined, expiresAt: number): Lease {
  const renewed = { expiresAt, tokenExpiresAt: expiresAt };
  if (lease.group === undefined || member === undefined) return { ...lease, ...renewed };
  const group = { name: lease.group.name, members: new Map(lease.group.members).set(member, renewed) };
  return { ...lease, group, ...expiryOf({ ...lease, group }) };
}

export function withoutMember(lease: Lease, member: string): Lease {
  const group = { name: lease.group!.name, members: new Map(lease.group!.members) };
  group.members.delete(member);
  return { ...lease, group, ...expiryOf({ ...lease, group }) };
}

/** The expiry of a group's lease: that of its last member. */
export function expiryOf({ group, expiresAt, tokenExpiresAt }: Lease): Pick<Lease, 'expiresAt' | 'tokenExpiresAt'> {
  if (group === undefined || group.members.size === 0) return { expiresAt, tokenExpiresAt };
  const members = [...group.members.values()];
  return {
    expiresAt: Math.max(...members.map((member) => member.expiresAt)),
    tokenExpiresAt: Math.max(...members.map((member) => member.tokenExpiresAt)),
  };
}
