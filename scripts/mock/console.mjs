import { Refusal } from './refusal.mjs';

export const sampleSeconds = 5;
const samplesOfAnHour = 3_600 / sampleSeconds;
const iso = (ms) => new Date(ms).toISOString();

/** A wave between 0 and 1 that does not repeat soon, and is the same for everybody who looks. */
const wave = (seconds, period) =>
  (Math.sin((seconds / period) * 2 * Math.PI) + Math.sin((seconds / period) * 4.3) + 2) / 4;

/** A sample as a relay with so many leases might take it. */
function sampleOf(leases, isFailing, at) {
  const seconds = Math.floor(at / 1000);
  const busy = leases * wave(seconds, 900);
  const routed = Math.round(busy * (1 + wave(seconds, 45)));
  return {
    at: iso(at),
    leases,
    ready: leases * 4,
    connections: Math.round(busy * 3),
    public_connections: Math.round(busy * 3) + 2,
    udp_flows: Math.round(wave(seconds, 300) * 4),
    routed,
    refused: Math.round(wave(seconds, 70) * 2),
    received: Math.round(busy * 12_000),
    sent: Math.round(busy * 190_000 * wave(seconds, 200)),
    signatures: routed,
    signatures_refused: 0,
    requests: leases + Math.round(wave(seconds, 60) * 4),
    requests_refused: Math.round(wave(seconds, 110)),
    datagrams_dropped: 0,
    store_calls: leases + 2,
    store_failures: isFailing ? leases + 2 : 0,
    store_seconds: (leases + 2) * 0.0004,
  };
}

const part = (all, query, isWanted) => {
  const matching = all.filter(isWanted);
  const offset = Number(query.get('offset') ?? 0);
  return {
    total: all.length,
    matching: matching.length,
    items: matching.slice(offset, offset + Number(query.get('limit') ?? 100)),
  };
};

const hasText = (value, query) =>
  JSON.stringify(value)
    .toLowerCase()
    .includes((query.get('search') ?? '').toLowerCase());

const listed = (state, lease) => {
  const size = lease.name.length * (lease.ready + 1);
  return {
    lease,
    connections: lease.ready * 2,
    received: size * 4_096,
    sent: size * 81_920 + Math.floor(state.seconds) * lease.ready * 900,
  };
};

const sorts = {
  connections: ({ connections }) => connections,
  traffic: ({ received, sent }) => received + sent,
};

const states = {
  reached: ({ ready }) => ready > 0,
  unreached: ({ ready }) => ready === 0,
  waiting: ({ is_approved: isApproved }) => !isApproved,
};

/** Samples up to now. */
export function samplesOf(state, count) {
  const step = sampleSeconds * 1000;
  const last = state.now() - (state.now() % step);
  const leases = state.leases().length;
  const isFailing = state.scenario.fails?.includes('store') ?? false;
  return Array.from({ length: count }, (_, index) => sampleOf(leases, isFailing, last - (count - 1 - index) * step));
}

/** The minutes of the last hour. */
function trafficOf(state, { name, ready }) {
  if (ready === 0) return [];
  const last = state.now() - (state.now() % 60_000);
  return Array.from({ length: 60 }, (_, index) => {
    const at = last - (59 - index) * 60_000;
    const busy = wave(at / 1_000, 600 + name.length * 90);
    return { at: iso(at), received: Math.round(busy * 90_000), sent: Math.round(busy * ready * 700_000) };
  });
}

/** Two peers, of which one is not reached, and a relay that is none. */
function overlayOf(state) {
  const seconds = Math.floor(state.seconds);
  return {
    is_up: true,
    peers: [
      {
        relay: '0xDb2F216439001033EBBE995570B66dfF5b17361d',
        address: '100.96.14.201',
        host: 'relay.example.net:51820',
        last_handshake_at: iso(state.now() - 40_000),
        received: 73_400_320 + seconds * 4_000,
        sent: 10_485_760 + seconds * 900,
      },
      {
        relay: '0x0216b4e9C2A0fADa461235d8F4EDDdB5fA5DAcE9',
        address: '100.101.7.9',
        host: 'portal.example.org:51820',
        fault: 'portal.example.org has no address',
        received: 0,
        sent: 0,
      },
    ],
    refused: [{ relay: '0x89a7A925E79540F494886cdAfDf2f50eBB9E3AB9', reason: "its WireGuard key is another relay's" }],
  };
}

/** What the console asks for, by operation. */
export const consoleAnswers = {
  getOverview(state) {
    const { approval_mode, landing_page_enabled, udp, tcp_port } = state.getSnapshot();
    const isEmpty = state.scenario.leases(state.now(), 0).length === 0;
    return {
      version: '0.1.0',
      root_host: 'portal.example.com',
      started_at: iso(state.now() - 9 * 86_400_000),
      sample_seconds: sampleSeconds,
      samples: samplesOf(state, samplesOfAnHour),
      outcomes: isEmpty
        ? []
        : [
            { what: 'routed', count: 128_400 },
            { what: 'api', count: 31_020 },
            { what: 'unknown_name', count: 1_870 },
            { what: 'no_client_hello', count: 411 },
            { what: 'no_session', count: 96 },
          ],
      errors: isEmpty
        ? []
        : [
            { what: 'unauthorized', count: 240 },
            { what: 'rate_limited', count: 77 },
            { what: 'lease_not_found', count: 31 },
          ],
      certificate_expires_at: iso(state.now() + 61 * 86_400_000),
      approval_mode,
      landing_page_enabled,
      udp,
      tcp_port,
      relays: { believed: 3, held: 5 },
      overlay: { is_up: true, peers: overlayOf(state).peers.filter(({ fault }) => fault === undefined).length },
    };
  },

  listLeases(state, { query }) {
    const value = sorts[query.get('sort')] ?? (({ lease }) => lease[query.get('sort') ?? 'hostname'] ?? lease.hostname);
    const sign = query.get('order') === 'desc' ? -1 : 1;
    const all = state
      .leases()
      .map((lease) => listed(state, lease))
      .sort((a, b) => (value(a) < value(b) ? -sign : sign));
    const wanted = states[query.get('state')] ?? (() => true);
    const { items, ...counts } = part(all, query, (each) => wanted(each.lease) && hasText(each.lease, query));
    return { ...counts, leases: items };
  },

  getLease(state, request) {
    const key = state.keyOf(request);
    const lease = state.leases().find(({ identity_key: each }) => each === key);
    if (lease === undefined) throw new Refusal('not_found', 'this identity has no lease now', 404);
    return { ...listed(state, lease), traffic: trafficOf(state, lease) };
  },

  listOverlayPeers(state) {
    return overlayOf(state);
  },

  listIdentities(state, { query }) {
    const flag = { approved: 'has_approval', denied: 'is_denied', banned: 'is_banned', limited: 'bps' }[
      query.get('state')
    ];
    const wanted = (each) => (flag === undefined || Boolean(each[flag])) && hasText(each.identity_key, query);
    const { items, ...counts } = part(state.getSnapshot().identities, query, wanted);
    return { ...counts, identities: items };
  },

  listBannedIps(state, { query }) {
    const { items, ...counts } = part([...state.bannedIps], query, (ip) => hasText(ip, query));
    return { ...counts, ips: items };
  },

  listAuditEntries(state, { query }) {
    const before = Number(query.get('before') ?? Infinity);
    const limit = Number(query.get('limit') ?? 100);
    const matching = state.audit.filter((entry) => entry.seq < before && hasText(entry, query)).reverse();
    const entries = matching.slice(0, limit);
    return { entries, ...(matching.length > limit && { next_before: entries.at(-1).seq }) };
  },

  listAdminSessions(state, { session }) {
    const sessions = [...state.sessions].map(([id, address]) => ({
      id: id.slice(0, 16),
      wallet_address: address,
      opened_at: iso(state.started),
      expires_at: iso(state.started + 86_400_000),
      is_own: id === session,
    }));
    return { sessions: sessions.reverse() };
  },

  endAdminSession(state, { params }) {
    const id = [...state.sessions.keys()].find((each) => each.startsWith(params.id));
    if (id === undefined) throw new Refusal('not_found', 'there is no such session', 404);
    state.sessions.delete(id);
    return {};
  },
};
