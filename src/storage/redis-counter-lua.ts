// Every script works on the keys of one organization, which share its hash tag and so live on one node of a cluster.
// The keys that a hold leads to are found in the script: that they are on the same node is what Redis asks for.
//
// Numbers of Lua are doubles, exact to 2^53, and printed by `%.0f`: its own form of large ones is rounded.

/** Functions of Lua that the scripts of the counters share. */
export const SHARED = `
local DAY, GRACE, KEPT = 86400000, 60000, 2592000000
local MOST = 9007199254740991

local function number(given) return tonumber(given or '') end

local function text(given)
  if given == nil or given == math.huge then return '' end
  return string.format('%.0f', given)
end

local function plus(left, right) return math.min(left + right, MOST) end

-- The server's own clock, in milliseconds; another one is given by tests alone.
local function time(given)
  if given ~= '' then return tonumber(given) end
  local now = redis.call('TIME')
  return tonumber(now[1]) * 1000 + math.floor(tonumber(now[2]) / 1000)
end

local function ends_at(meter, opened)
  if meter.kind == 'none' then return math.huge end
  if meter.kind == 'rolling' then return opened + meter.a end
  return meter.b
end

-- From then on a window is as if it had never been.
local function gone_at(kind, opened, ends)
  if kind == 'period' then return math.max(opened, ends) + DAY end
  return ends
end

-- Six arguments from this one on name a meter.
local function meter_from(index, key)
  return {
    key = key, id = ARGV[index], quantity = ARGV[index + 1], limit = number(ARGV[index + 2]),
    kind = ARGV[index + 3], a = number(ARGV[index + 4]), b = number(ARGV[index + 5]),
  }
end

local function amount_from(quantity, requests, tokens, cost)
  if quantity == 'requests' then return requests end
  if quantity == 'tokens' then return tokens end
  return cost
end

-- The window that is stored for a meter and not gone yet.
local function load(meter, now)
  local found = redis.call('HMGET', meter.key, 'opened_at', 'window_end', 'used', 'held', 'limit')
  local opened = number(found[1])
  if not opened then return nil end
  local ends = number(found[2]) or math.huge
  if gone_at(meter.kind, opened, ends) <= now then return nil end
  return {
    opened = opened, ends = ends, used = number(found[3]) or 0, held = number(found[4]) or 0,
    limit = number(found[5]),
  }
end

-- The window that is open for a meter with the length that it is named with now.
local function find(meter, now)
  local window = load(meter, now)
  if window == nil then return nil end
  local ends = ends_at(meter, window.opened)
  if gone_at(meter.kind, window.opened, ends) <= now then return nil end
  return window, ends
end

-- Lets a window's key lapse once the window is gone. A minute of grace, because what counts is the time stored in it.
local function expire(meter, window, now)
  local gone = gone_at(meter.kind, window.opened, window.ends)
  if gone == math.huge then redis.call('PERSIST', meter.key)
  else redis.call('PEXPIRE', meter.key, text(gone - now + GRACE)) end
end

local function rename(meter, window, ends, now)
  if window.limit == meter.limit and window.ends == ends then return end
  redis.call('HSET', meter.key, 'limit', text(meter.limit), 'window_end', text(ends))
  local moved = window.ends ~= ends
  window.limit, window.ends = meter.limit, ends
  if moved then expire(meter, window, now) end
end

local function open(meter, now)
  local window = { opened = now, ends = ends_at(meter, now), used = 0, held = 0, limit = meter.limit }
  local start = meter.kind == 'period' and meter.a or now
  redis.call('DEL', meter.key)
  redis.call('HSET', meter.key, 'used', '0', 'held', '0', 'limit', text(window.limit), 'opened_at', text(now),
    'window_start', text(start), 'window_end', text(window.ends))
  if window.ends < math.huge then expire(meter, window, now) end
  return window
end

-- Calls under way have no window; their meter lapses long after the lease of the last one.
local function outlive(meter, lease)
  if meter.quantity == 'concurrency' then redis.call('PEXPIRE', meter.key, text(lease + KEPT)) end
end

local function refuse(meter, window, amount, limit, now)
  if limit == nil or amount == 0 then return nil end
  local used, held = 0, 0
  if window then used, held = window.used, window.held end
  if amount <= limit - used - held then return nil end
  if amount > limit then return math.huge end
  if window == nil or window.ends == math.huge then return -1 end
  return math.max(0, window.ends - now)
end

-- "used held resets limit", with nothing where there is none.
local function state_of(window, ends, limit)
  if window == nil then return '0 0 ' .. text(ends) .. ' ' .. text(limit) end
  return text(window.used) .. ' ' .. text(window.held) .. ' ' .. text(ends) .. ' ' .. text(limit)
end

local function state_of_meter(meter, window)
  if window then return state_of(window, window.ends, window.limit) end
  return state_of(nil, meter.kind == 'period' and meter.b or nil, meter.limit)
end

local function wait_text(wait)
  if wait < 0 or wait == math.huge then return '' end
  return text(wait)
end

-- How often the organization was written to, or nil and why its counters cannot be relied on.
local function fence(key, generation, floor, unknown)
  local found = redis.call('HMGET', key, 'generation', 'sequence')
  local sequence = number(found[2]) or 0
  if found[1] and found[1] ~= generation then
    if unknown == 'take-over' then return sequence end
    return nil, 'other'
  end
  if sequence < tonumber(floor) then return nil, 'lost' end
  if not found[1] and unknown == 'refuse' then return nil, 'unknown' end
  return sequence
end

-- Counts one write. What tells lost counters from new ones must outlive them.
local function wrote(key, sequence, generation, kept)
  if generation == '' then redis.call('HSET', key, 'sequence', text(sequence + 1))
  else redis.call('HSET', key, 'sequence', text(sequence + 1), 'generation', generation) end
  if sequence == 0 then redis.call('PEXPIRE', key, text(math.max(kept, 2 * KEPT)))
  elseif kept > 0 then redis.call('PEXPIRE', key, text(kept), 'GT') end
end

local function kept_for(window, meter, now)
  local gone = gone_at(meter.kind, window.opened, window.ends)
  if gone == math.huge then return 2 * KEPT end
  return math.max(2 * KEPT, gone - now + 2 * GRACE)
end

-- What one hold takes of one meter, as one line; the id comes last, for it may hold spaces.
local function part_text(part)
  return table.concat({
    part.quantity, part.kind, text(part.a) .. '/' .. text(part.b), 'limit=' .. text(part.limit),
    text(part.opened), text(part.amount), text(part.before), part.id,
  }, ' ')
end

local function part_from(line, prefix)
  local quantity, kind, a, b, limit, opened, amount, before, id =
    string.match(line, '^(%a+) (%a+) (%d*)/(%d*) limit=(%d*) (%d+) (%d+) (%d+) (.*)$')
  local part = {
    quantity = quantity, kind = kind, a = number(a), b = number(b), limit = number(limit), opened = number(opened),
    amount = number(amount), before = number(before), id = id, key = prefix .. id,
  }
  if kind == 'period' then part.key = part.key .. '@' .. a end
  return part
end

local function hold_from(key)
  local flat = redis.call('HGETALL', key)
  if #flat == 0 then return nil end
  local hold = {}
  for index = 1, #flat, 2 do hold[flat[index]] = flat[index + 1] end
  return hold
end
`
