import { redisScript } from './redis-script.ts'

// Every script works on the keys `rows` (the stream), `facts` and `refused`, which share one hash tag. Those that are
// answered return first: the generation, the oldest id in the stream, its length, and the bytes of the rows in it. The generation tells
// a stream from one that took its place after Redis had lost it.

const SHARED = `
local rows, facts = KEYS[1], KEYS[2]

-- The generation; a new one where Redis has forgotten the stream or what belongs to it.
local function generation(group, fresh)
  local found = redis.call('HGET', facts, 'generation')
  if found and redis.call('EXISTS', rows) == 1 then return found end
  redis.pcall('XGROUP', 'CREATE', rows, group, '0', 'MKSTREAM')
  redis.call('DEL', facts)
  redis.call('HSET', facts, 'generation', fresh, 'bytes', '0')
  return fresh
end

local function state(current)
  local oldest = redis.call('XRANGE', rows, '-', '+', 'COUNT', 1)
  local id = ''
  if oldest[1] then id = oldest[1][1] end
  return { current, id, redis.call('XLEN', rows), redis.call('HGET', facts, 'bytes') or '0' }
end
`

/**
 * ARGV group, a fresh generation, writer, number of the batch, texts. Nobody hears of its reply: what it did is in the
 * facts, under the name of the writer, as the number of its last batch and the id of the last row in that.
 */
export const APPEND = redisScript(
  SHARED,
  `
generation(ARGV[1], ARGV[2])
local id, bytes = '', 0
for index = 5, #ARGV do
  id = redis.call('XADD', rows, '*', 'row', ARGV[index])
  bytes = bytes + #ARGV[index]
end
redis.call('HINCRBY', facts, 'bytes', bytes)
redis.call('HSET', facts, 'writer:' .. ARGV[3], ARGV[4] .. ' ' .. id)
`,
)

/** ARGV group, a fresh generation, writer. Returns what `APPEND` left of it behind the state. */
export const CONFIRM = redisScript(
  SHARED,
  `
local reply = state(generation(ARGV[1], ARGV[2]))
reply[#reply + 1] = redis.call('HGET', facts, 'writer:' .. ARGV[3]) or ''
return reply
`,
)

/**
 * ARGV group, a fresh generation, consumer, at most, idle ms after which rows of another consumer are taken over or
 * nothing, where to look for them. Returns where to look next, and id and text of each row, behind the state.
 */
export const READ = redisScript(
  SHARED,
  `
local group, consumer, most, idle = ARGV[1], ARGV[3], ARGV[4], ARGV[5]
local current = generation(group, ARGV[2])
local cursor, entries = ARGV[6], {}
if idle ~= '' then
  local claimed = redis.call('XAUTOCLAIM', rows, group, consumer, idle, cursor, 'COUNT', most)
  cursor, entries = claimed[1], claimed[2]
end
if #entries == 0 then
  local read = redis.call('XREADGROUP', 'GROUP', group, consumer, 'COUNT', most, 'STREAMS', rows, '>')
  if read then entries = read[1][2] end
end
local reply = state(current)
reply[#reply + 1] = cursor
for _, entry in ipairs(entries) do
  reply[#reply + 1] = entry[1]
  reply[#reply + 1] = entry[2][2] or ''
end
return reply
`,
)

/** ARGV group, a fresh generation, and id and bytes of each row. */
export const ACKNOWLEDGE = redisScript(
  SHARED,
  `
local current = generation(ARGV[1], ARGV[2])
local bytes = 0
for index = 3, #ARGV, 2 do
  redis.call('XACK', rows, ARGV[1], ARGV[index])
  if redis.call('XDEL', rows, ARGV[index]) == 1 then bytes = bytes + tonumber(ARGV[index + 1]) end
end
if bytes > 0 then redis.call('HINCRBY', facts, 'bytes', -bytes) end
return state(current)
`,
)

/** ARGV text, reason. */
export const SET_ASIDE = redisScript(
  `return redis.call('XADD', KEYS[3], '*', 'row', ARGV[1], 'reason', ARGV[2])`,
)

/** ARGV group, idle ms. Forgets consumers that have nothing in hand, and writers, that were not heard of for that long. */
export const TIDY = redisScript(
  `
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local idle, gone = tonumber(ARGV[2]), 0
for _, flat in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local consumer = {}
  for index = 1, #flat, 2 do consumer[flat[index]] = flat[index + 1] end
  if consumer.pending == 0 and consumer.idle > idle then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer.name)
    gone = gone + 1
  end
end
local time = redis.call('TIME')
local names = redis.call('HKEYS', KEYS[2])
for _, name in ipairs(names) do
  if string.sub(name, 1, 7) == 'writer:' then
    local at = string.match(redis.call('HGET', KEYS[2], name), ' (%d+)-')
    if at and time[1] * 1000 + time[2] / 1000 - at > idle then redis.call('HDEL', KEYS[2], name) end
  end
end
return gone
`,
)
