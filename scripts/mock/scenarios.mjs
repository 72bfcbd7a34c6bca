import { getAddress, keccak256, toUtf8Bytes } from 'ethers';

/** Seconds after which the scenario `life` begins anew. */
const lifeSeconds = 60;

const addressOf = (seed) => getAddress(`0x${keccak256(toUtf8Bytes(seed)).slice(-40)}`);
const iso = (ms) => new Date(ms).toISOString();

/** A lease as an operator sees it. */
export function leaseOf(name, now, fields = {}) {
  const address = fields.address ?? addressOf(name);
  return {
    identity_key: `${name}:${address.toLowerCase()}`,
    address,
    name,
    hostname: `${name}.portal.example.com`,
    expires_at: iso(now + 30_000),
    first_seen_at: iso(now - 3_600_000),
    last_seen_at: iso(now - 1_000),
    client_ip: '203.0.113.7',
    metadata: {},
    ready: 4,
    is_approved: true,
    has_approval: false,
    is_banned: false,
    is_denied: false,
    is_ip_banned: false,
    ...fields,
  };
}

const words = ['shop', 'blog', 'api', 'demo', 'docs', 'chat', 'wiki', 'game', 'photos', 'status'];

function busy(now) {
  return words.map((name, index) =>
    leaseOf(name, now, {
      client_ip: `203.0.113.${index + 1}`,
      metadata: { description: `The ${name} of somebody`, tags: [name, index % 2 ? 'web' : 'demo'] },
      ready: index % 5,
      ...(index === 2 ? { bps: 1_000_000 } : {}),
      ...(index === 3 ? { tcp_addr: 'portal.example.com:20018' } : {}),
      ...(index === 7 ? { udp_addr: 'portal.example.com:20017', udp_count: 3 } : {}),
      ...(index === 9 ? { metadata: { hide: true } } : {}),
    }),
  );
}

function many(now) {
  return Array.from({ length: 5_000 }, (_, index) =>
    leaseOf(`${words[index % words.length]}-${String(index).padStart(4, '0')}`, now, {
      client_ip: `198.51.${100 + (index >> 8)}.${index & 255}`,
      first_seen_at: iso(now - index * 60_000),
      metadata: { tags: [words[index % words.length]] },
      ready: index % 5,
    }),
  );
}

/** One lease appears after 5 s and is gone at 40 s, another is banned at 20 s; after a minute all of it again. */
function life(now, seconds) {
  const at = seconds % lifeSeconds;
  return [
    leaseOf('always-there', now),
    ...(at >= 5 && at < 40 ? [leaseOf('comes-and-goes', now, { expires_at: iso(now + (40 - at) * 1000) })] : []),
    ...(at < 20 ? [leaseOf('gets-banned', now)] : []),
  ];
}

const banned = (name) => {
  const { identity_key, address } = leaseOf(name, 0);
  return { identity_key, address, name, is_approved: false, has_approval: false, is_banned: true, is_denied: false };
};

const none = () => [];

/**
 * By name: what it is for, the leases at a moment (seconds after its start), and where it begins.
 * @type {Record<string, { about: string, leases: (now: number, seconds: number) => object[], identities?: (seconds: number) => object[],
 *   approvalMode?: string, fails?: string[] }>}
 */
export const scenarios = {
  empty: { about: 'a relay that nobody uses', leases: none },
  busy: { about: 'ten leases of all kinds', leases: busy },
  many: { about: '5,000 leases', leases: many },
  life: {
    about: 'a lease appears after 5 s and ends at 40 s, another is banned at 20 s; every minute anew',
    leases: life,
    identities: (seconds) => (seconds % lifeSeconds >= 20 ? [banned('gets-banned')] : []),
  },
  approval: {
    about: 'three leases wait for approval',
    leases: (now) =>
      ['newcomer', 'stranger', 'friend'].map((name) => leaseOf(name, now, { is_approved: false, ready: 0 })),
    approvalMode: 'manual',
  },
  failing: {
    about: 'the store is full: nothing can be decided or registered',
    leases: busy,
    fails: ['store'],
  },
};
