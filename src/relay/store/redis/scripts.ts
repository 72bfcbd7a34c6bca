/**
 * What runs in Redis (EVAL), so that each change, its audit entry and its place in the feed are one. All keys have the same hash tag,
 * so that they are in one slot of a Redis Cluster.
 */

/** The next revision: without gaps, and above whatever the caller has seen, also after Redis has lost its last writes. */
const nextRevision = `
local function next_revision(key, floor)
  local revision = redis.call('INCR', key)
  if revision <= floor then
    revision = floor + 1
    redis.call('SET', key, revision)
  end
  return revision
end
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local function tell(feed, revision, kind, text)
  redis.call('XADD', feed, 'MAXLEN', '~', 20000, '*', 'r', revision, 'k', kind, 'c', text)
end
local function audit(entries, counter, floor, text)
  if text == '' then return end
  local seq = redis.call('INCR', counter)
  if seq <= floor then
    seq = floor + 1
    redis.call('SET', counter, seq)
  end
  redis.call('XADD', entries, 'MAXLEN', '~', 100000, seq .. '-0', 'e', text)
end
`;

/**
 * Compare-and-set of a lease. A value is \`revision:kept until:JSON\`. What is kept no longer counts as absent.
 * KEYS: leases, kept (by end), feed, revision, TCP ports. ARGV: hostname, expected revision, kept until, JSON, floor, TCP port or nothing
 * @returns the new revision; 0 and the current value; or -1 where the port is of another lease
 */
const putLease = `${nextRevision}
local value = redis.call('HGET', KEYS[1], ARGV[1])
local current = 0
if value then
  local revision, kept = string.match(value, '^(%d+):(%d+):')
  if tonumber(kept) > now() then current = tonumber(revision) end
end
if current ~= tonumber(ARGV[2]) then
  return { 0, current > 0 and value or '' }
end
if ARGV[6] ~= '' then
  local other = redis.call('HGET', KEYS[5], ARGV[6])
  if other and other ~= ARGV[1] and tonumber(redis.call('ZSCORE', KEYS[2], other) or 0) > now() then
    local held = cjson.decode(string.match(redis.call('HGET', KEYS[1], other), '^%d+:%d+:(.*)$'))
    if tostring(held.tcpPort) == ARGV[6] then return { -1, '' } end
  end
  redis.call('HSET', KEYS[5], ARGV[6], ARGV[1])
end
local revision = next_revision(KEYS[4], tonumber(ARGV[5]))
local kept_value = revision .. ':' .. ARGV[3] .. ':' .. ARGV[4]
redis.call('HSET', KEYS[1], ARGV[1], kept_value)
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
tell(KEYS[3], revision, 'lease', kept_value)
return { revision, '' }
`;

/** Removes what is kept no longer. KEYS: leases, kept. @returns how many */
const reapLeases = `${nextRevision}
local ended = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now(), 'LIMIT', 0, 500)
for _, hostname in ipairs(ended) do
  redis.call('HDEL', KEYS[1], hostname)
  redis.call('ZREM', KEYS[2], hostname)
end
return #ended
`;

/**
 * Changes what was decided about one thing, or several settings. A value is \`revision:JSON\`; what is taken back is kept as well, so that
 * a node can tell it from what was lost.
 * KEYS: settings, decisions or banned addresses; feed, revision, audit, audit counter.
 * ARGV: kind, field, value, floor, audit entry, audit floor
 * @returns revision, and the value as it is now
 */
const changePolicy = `${nextRevision}
local text = ARGV[3]
if ARGV[1] == 'decision' then
  local given = cjson.decode(ARGV[3])
  local decision = given.decision
  local held = redis.call('HGET', KEYS[1], ARGV[2])
  if held and given.patch then
    decision = cjson.decode(string.match(held, '^%d+:(.*)$'))
    for name, value in pairs(given.patch) do decision[name] = value end
  end
  if decision.bps == cjson.null then decision.bps = nil end
  text = cjson.encode(decision)
end
local revision = next_revision(KEYS[3], tonumber(ARGV[4]))
if ARGV[1] == 'settings' then
  for name, value in pairs(cjson.decode(text)) do
    redis.call('HSET', KEYS[1], name, revision .. ':' .. cjson.encode(value))
  end
else
  redis.call('HSET', KEYS[1], ARGV[2], revision .. ':' .. text)
end
tell(KEYS[2], revision, 'policy', cjson.encode({ ARGV[1], ARGV[2], text }))
audit(KEYS[4], KEYS[5], tonumber(ARGV[6]), ARGV[5])
return { revision, text }
`;

/**
 * Opens or ends admin sessions. KEYS: sessions, feed, revision, audit, audit counter.
 * ARGV: open or end, floor, audit entry, audit floor, then sessions as JSON
 */
const changeSessions = `${nextRevision}
for index = 5, #ARGV do
  local session = cjson.decode(ARGV[index])
  if ARGV[1] == 'open' then
    redis.call('HSET', KEYS[1], session.tokenHash, ARGV[index])
  else
    redis.call('HDEL', KEYS[1], session.tokenHash)
  end
  tell(KEYS[2], next_revision(KEYS[3], tonumber(ARGV[2])), 'session', cjson.encode({ ARGV[1], ARGV[index] }))
end
audit(KEYS[4], KEYS[5], tonumber(ARGV[4]), ARGV[3])
return 1
`;

/** KEYS: audit, audit counter. ARGV: audit entry, audit floor */
const addAuditEntry = `${nextRevision}
audit(KEYS[1], KEYS[2], tonumber(ARGV[2]), ARGV[1])
return 1
`;

/**
 * Keeps a challenge; past the bound the oldest of the source with the most goes.
 * KEYS: challenges, expiries, sources, prefix of a source's own. ARGV: id, JSON, expires at, source, bound
 */
const putChallenge = `${nextRevision}
local function drop(id)
  local text = redis.call('HGET', KEYS[1], id)
  redis.call('HDEL', KEYS[1], id)
  redis.call('ZREM', KEYS[2], id)
  if not text then return end
  local source = cjson.decode(text).source
  redis.call('ZREM', KEYS[4] .. source, id)
  if tonumber(redis.call('ZINCRBY', KEYS[3], -1, source)) <= 0 then redis.call('ZREM', KEYS[3], source) end
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now(), 'LIMIT', 0, 500)) do drop(id) end
if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[5]) then
  local busiest = redis.call('ZREVRANGE', KEYS[3], 0, 0)[1]
  local oldest = busiest and redis.call('ZRANGE', KEYS[4] .. busiest, 0, 0)[1] or redis.call('ZRANGE', KEYS[2], 0, 0)[1]
  if oldest then drop(oldest) end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
redis.call('ZADD', KEYS[4] .. ARGV[4], ARGV[3], ARGV[1])
redis.call('ZINCRBY', KEYS[3], 1, ARGV[4])
return 1
`;

/** KEYS: as putChallenge. ARGV: id. @returns its JSON, or an empty text: also when it has expired */
const takeChallenge = `${nextRevision}
local text = redis.call('HGET', KEYS[1], ARGV[1])
if not text then return '' end
local expires = tonumber(redis.call('ZSCORE', KEYS[2], ARGV[1]) or 0)
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
local source = cjson.decode(text).source
redis.call('ZREM', KEYS[4] .. source, ARGV[1])
if tonumber(redis.call('ZINCRBY', KEYS[3], -1, source)) <= 0 then redis.call('ZREM', KEYS[3], source) end
return expires > now() and text or ''
`;

/**
 * A node reports, and hears of the others; one that has been silent for long is forgotten.
 * KEYS: nodes, seen, revision, owner. ARGV: id, JSON or an empty text to leave, silence in milliseconds, the relay's address
 * @returns time, revision, owner, and the nodes as JSON
 */
const report = `${nextRevision}
local time = now()
redis.call('SET', KEYS[4], ARGV[4], 'NX')
local owner = redis.call('GET', KEYS[4])
if owner == ARGV[4] then
  if ARGV[2] == '' then
    redis.call('HDEL', KEYS[1], ARGV[1])
    redis.call('ZREM', KEYS[2], ARGV[1])
  else
    redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
    redis.call('ZADD', KEYS[2], time, ARGV[1])
  end
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', time - ARGV[3])) do
  redis.call('HDEL', KEYS[1], id)
  redis.call('ZREM', KEYS[2], id)
end
local answer = { time, tonumber(redis.call('GET', KEYS[3]) or 0), owner }
for _, node in ipairs(redis.call('HVALS', KEYS[1])) do table.insert(answer, node) end
return answer
`;

export const scripts = {
  putLease: { lua: putLease, numberOfKeys: 5 },
  reapLeases: { lua: reapLeases, numberOfKeys: 2 },
  changePolicy: { lua: changePolicy, numberOfKeys: 5 },
  changeSessions: { lua: changeSessions, numberOfKeys: 5 },
  addAuditEntry: { lua: addAuditEntry, numberOfKeys: 2 },
  putChallenge: { lua: putChallenge, numberOfKeys: 4 },
  takeChallenge: { lua: takeChallenge, numberOfKeys: 4 },
  report: { lua: report, numberOfKeys: 4 },
} as const;
export type ScriptName = keyof typeof scripts;
