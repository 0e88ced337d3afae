import { SHARED } from './redis-counter-lua.ts'
import { redisScript } from './redis-script.ts'

/**
 * KEYS state, hold, leases, one per meter. ARGV now, generation, floor, unknown, hold id, lease ms, requests, tokens,
 * cost, taker, note, six per meter. The taker names this one attempt to take; a note begins with `=`, and nothing is
 * none. Returns the outcome, now, sequence, states, and where refused the meter and the wait.
 */
export const TAKE = redisScript(
  SHARED,
  `
local now = time(ARGV[1])
local sequence, reason = fence(KEYS[1], ARGV[2], ARGV[3], ARGV[4])
if reason then return { reason, text(now) } end
local lease, requests, tokens, cost = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local known = redis.call('EXISTS', KEYS[2]) == 1

local meters, windows, states = {}, {}, {}
local refused, longest
for index = 1, #KEYS - 3 do
  local meter = meter_from(6 + 6 * index, KEYS[3 + index])
  local window, ends = find(meter, now)
  if known then
    states[index] = window and state_of(window, ends, meter.limit) or state_of_meter(meter, nil)
  else
    meter.amount = meter.quantity == 'concurrency' and 1 or amount_from(meter.quantity, requests, tokens, cost)
    if window then rename(meter, window, ends, now) end
    local wait = refuse(meter, window, meter.amount, meter.limit, now)
    if wait and (longest == nil or wait > longest) then refused, longest = meter.id, wait end
    meters[index], windows[index] = meter, window or false
  end
end
if known then
  redis.call('HSET', KEYS[2], 'taker', ARGV[10])
  return { 'granted', text(now), text(sequence), table.concat(states, ';') }
end
if refused then
  for index, meter in ipairs(meters) do states[index] = state_of_meter(meter, windows[index]) end
  return { 'refused', text(now), text(sequence), table.concat(states, ';'), refused, wait_text(longest) }
end

local fields = {
  'taken_at', text(now), 'lease_ends', text(now + lease), 'requests', ARGV[7], 'tokens', ARGV[8],
  'cost_nano_usd', ARGV[9], 'taker', ARGV[10],
}
if ARGV[11] ~= '' then
  fields[#fields + 1] = 'note'
  fields[#fields + 1] = string.sub(ARGV[11], 2)
end
local kept = 0
for index, meter in ipairs(meters) do
  local window = windows[index]
  if not window then
    window = open(meter, now)
    kept = math.max(kept, kept_for(window, meter, now))
  end
  window.held = plus(window.held, meter.amount)
  redis.call('HSET', meter.key, 'held', text(window.held))
  outlive(meter, lease)
  meter.opened, meter.before = window.opened, 0
  fields[#fields + 1] = 'meter:' .. index
  fields[#fields + 1] = part_text(meter)
  states[index] = state_of_meter(meter, window)
end
redis.call('HSET', KEYS[2], unpack(fields))
redis.call('PEXPIRE', KEYS[2], text(lease + KEPT))
redis.call('ZADD', KEYS[3], text(now + lease), ARGV[5])
redis.call('PEXPIRE', KEYS[3], text(lease + KEPT))
wrote(KEYS[1], sequence, ARGV[2], kept)
return { 'granted', text(now), text(sequence + 1), table.concat(states, ';') }
`,
)

/**
 * KEYS state, hold, leases. ARGV now, generation, floor, unknown, hold id, lease ms, requests, tokens, cost, prefix.
 * Returns as `TAKE` does, and the ids of the hold's meters at the end; or `none`.
 */
export const GROW = redisScript(
  SHARED,
  `
local now = time(ARGV[1])
local hold = hold_from(KEYS[2])
local sequence, reason = fence(KEYS[1], ARGV[2], ARGV[3], ARGV[4])
if reason == 'lost' or (reason and hold) then return { reason, text(now) } end
if not hold then return { 'none', text(now) } end
local lease, requests, tokens, cost = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])

local parts, windows, states, ids = {}, {}, {}, {}
local refused, longest
local index = 1
while hold['meter:' .. index] do
  local part = part_from(hold['meter:' .. index], ARGV[10])
  part.more = part.quantity == 'concurrency' and 0 or amount_from(part.quantity, requests, tokens, cost)
  local window = load(part, now)
  local limit = part.limit
  if window then limit = window.limit end
  local wait = refuse(part, window, part.more, limit, now)
  if wait and (longest == nil or wait > longest) then refused, longest = part.id, wait end
  parts[index], windows[index], ids[index] = part, window or false, part.id
  index = index + 1
end
if refused then
  for at, part in ipairs(parts) do states[at] = state_of_meter(part, windows[at]) end
  return { 'refused', text(now), text(sequence), table.concat(states, ';'), refused, wait_text(longest), unpack(ids) }
end

local fields = {
  'lease_ends', text(now + lease), 'requests', text(plus(tonumber(hold.requests), requests)),
  'tokens', text(plus(tonumber(hold.tokens), tokens)),
  'cost_nano_usd', text(plus(tonumber(hold.cost_nano_usd), cost)),
}
local kept = 0
for at, part in ipairs(parts) do
  local window = windows[at]
  if part.more > 0 then
    if not window then
      window = open(part, now)
      kept = math.max(kept, kept_for(window, part, now))
    end
    if window.opened ~= part.opened then
      part.before, part.amount, part.opened = plus(part.before, part.amount), 0, window.opened
    end
    part.amount = plus(part.amount, part.more)
    window.held = plus(window.held, part.more)
    redis.call('HSET', part.key, 'held', text(window.held))
    fields[#fields + 1] = 'meter:' .. at
    fields[#fields + 1] = part_text(part)
  end
  outlive(part, lease)
  states[at] = state_of_meter(part, window)
end
redis.call('HSET', KEYS[2], unpack(fields))
redis.call('PEXPIRE', KEYS[2], text(lease + KEPT))
redis.call('ZADD', KEYS[3], text(now + lease), ARGV[5])
redis.call('PEXPIRE', KEYS[3], text(lease + KEPT))
wrote(KEYS[1], sequence, ARGV[2], kept)
return { 'granted', text(now), text(sequence + 1), table.concat(states, ';'), '', '', unpack(ids) }
`,
)

/**
 * KEYS state, hold, leases. ARGV `settle` or `release`, hold id, tokens, cost, prefix, taker or nothing. With a taker
 * only a hold that nobody took since. Returns whether there was such a hold, and the sequence. Asks for no generation: what a hold holds is given back wherever it is found.
 */
export const END = redisScript(
  SHARED,
  `
local sequence = number(redis.call('HGET', KEYS[1], 'sequence')) or 0
local hold = hold_from(KEYS[2])
if not hold or (ARGV[6] ~= '' and hold.taker ~= ARGV[6]) then return { 'none', text(sequence) } end
local settles, tokens, cost = ARGV[1] == 'settle', tonumber(ARGV[3]), tonumber(ARGV[4])
local index = 1
while hold['meter:' .. index] do
  local part = part_from(hold['meter:' .. index], ARGV[5])
  local found = redis.call('HMGET', part.key, 'opened_at', 'used', 'held')
  if number(found[1]) == part.opened then
    local held = math.max(0, (number(found[3]) or 0) - part.amount)
    if part.quantity == 'concurrency' then
      if held == 0 then redis.call('DEL', part.key) else redis.call('HSET', part.key, 'held', text(held)) end
    else
      local used = 0
      if settles and part.quantity == 'requests' then used = part.amount
      elseif settles then used = math.max(0, amount_from(part.quantity, 0, tokens, cost) - part.before) end
      redis.call('HSET', part.key, 'held', text(held), 'used', text(plus(number(found[2]) or 0, used)))
    end
  end
  index = index + 1
end
redis.call('DEL', KEYS[2])
redis.call('ZREM', KEYS[3], ARGV[2])
wrote(KEYS[1], sequence, '', 0)
return { 'ended', text(sequence + 1) }
`,
)

/** KEYS one per meter. ARGV now, six per meter. Returns now and the states. */
export const READ = redisScript(
  SHARED,
  `
local now = time(ARGV[1])
local states = {}
for index = 1, #KEYS do
  local meter = meter_from(6 * index - 4, KEYS[index])
  local window, ends = find(meter, now)
  states[index] = window and state_of(window, ends, meter.limit) or state_of_meter(meter, nil)
end
return { text(now), table.concat(states, ';') }
`,
)

/**
 * KEYS state, one per meter. ARGV now, generation or nothing, six per meter, the used amount of each. With a
 * generation nothing is assigned where the organization counts under it already. Returns whether it was, and the
 * sequence.
 */
export const ASSIGN = redisScript(
  SHARED,
  `
local now = time(ARGV[1])
local found = redis.call('HMGET', KEYS[1], 'generation', 'sequence')
local sequence = number(found[2]) or 0
if ARGV[2] ~= '' and found[1] == ARGV[2] then return { 'none', text(sequence) } end
local count, kept = #KEYS - 1, 0
for index = 1, count do
  local meter = meter_from(6 * index - 3, KEYS[1 + index])
  local used = tonumber(ARGV[2 + 6 * count + index])
  local window, ends = find(meter, now)
  if meter.quantity == 'concurrency' then window = nil
  elseif window then rename(meter, window, ends, now)
  elseif used > 0 then window = open(meter, now) end
  if window then
    redis.call('HSET', meter.key, 'used', text(used))
    kept = math.max(kept, kept_for(window, meter, now))
  end
end
wrote(KEYS[1], sequence, ARGV[2], kept)
return { 'assigned', text(sequence + 1) }
`,
)

/**
 * KEYS state, meter, and where it is named what was adjusted. ARGV now, six of the meter, what is added, how long the
 * name is kept. Returns the sequence. Asks for no generation, as `END` does not.
 */
export const ADJUST = redisScript(
  SHARED,
  `
local now = time(ARGV[1])
local sequence = number(redis.call('HGET', KEYS[1], 'sequence')) or 0
if KEYS[3] then
  -- The time in it counts, for tests have a time of their own.
  local done = number(redis.call('GET', KEYS[3]))
  if done and done + tonumber(ARGV[9]) > now then return { text(sequence) } end
  redis.call('SET', KEYS[3], text(now), 'PX', ARGV[9])
end
local meter, delta, kept = meter_from(2, KEYS[2]), tonumber(ARGV[8]), 0
local window, ends = find(meter, now)
if meter.quantity == 'concurrency' then window = nil
elseif window then rename(meter, window, ends, now)
elseif delta > 0 then window = open(meter, now) end
if window then
  redis.call('HSET', meter.key, 'used', text(math.max(0, plus(window.used, delta))))
  kept = kept_for(window, meter, now)
end
wrote(KEYS[1], sequence, '', kept)
return { text(sequence + 1) }
`,
)

/**
 * KEYS leases. ARGV now, at most, claim ms, prefix of holds. Renews the lease of every hold that it returns. Returns
 * when the next lease ends (nothing = no hold is open), whether more ended, and the holds: id and hash, in turn.
 */
export const LAPSED = redisScript(
  SHARED,
  `
local now, most, claim = time(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local reply = { '', '' }
local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', text(now), 'LIMIT', 0, most)
for _, id in ipairs(ids) do
  local hold = redis.call('HGETALL', ARGV[4] .. id)
  if #hold == 0 then redis.call('ZREM', KEYS[1], id)
  else
    reply[#reply + 1] = id
    reply[#reply + 1] = hold
    redis.call('HSET', ARGV[4] .. id, 'lease_ends', text(now + claim))
    redis.call('ZADD', KEYS[1], text(now + claim), id)
  end
end
local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
if first[2] then
  reply[1] = first[2]
  if tonumber(first[2]) <= now then reply[2] = 'more' end
end
return reply
`,
)

/** KEYS generation. ARGV the one that was lost, the next one. Returns the one that holds now. */
export const RENEW_GENERATION = redisScript(`
local current = redis.call('GET', KEYS[1])
if current and current ~= ARGV[1] then return current end
redis.call('SET', KEYS[1], ARGV[2])
return ARGV[2]
`)
