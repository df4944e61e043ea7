"""The limiter's steps as Lua: each is atomic in Redis and reads the time of Redis, so no process's clock matters."""

from libs.cache.scripts import Script
from libs.ratelimit.limits import LEASED_SHARE, LOG_MAX, SLICES

# All keys are looked at before any is counted under. Times in microseconds. ARGV: the member, how many permits are
# wanted, for how long they may be kept, then limit and window of each key.
# A log (sorted set) up to LOG_MAX. Above, a hash of SLICES a window: the slice that is half outside counts whole, so
# never more than the limit pass; `n` is the sum as of slice `at`, so that most tries read three fields.
# Several permits are counted at the end of the time in which they may be used, so that no window holds more uses than
# permits. A share of what is left is the most that one process gets, so that little lies unused near the limit.
# Answers {granted, refusing key, its wait, time counted, what each key leaves and its wait...}.
TAKE = Script(
    f"local log_max, slices, share = {LOG_MAX}, {SLICES}, {LEASED_SHARE}\n"
    + """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]

local function logged(key, most, window)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now - window)
  local count = redis.call('ZCARD', key)
  local from = math.max(count - most, 0)
  local oldest = redis.call('ZRANGE', key, from, from, 'WITHSCORES')
  return count, (oldest[2] and tonumber(oldest[2]) or now) + window - now
end

local function sliced(key, most, window)
  local slice = window / slices
  local at = math.floor(now / slice)
  local known = redis.call('HMGET', key, 'at', 'n', 'first')
  local count, first = tonumber(known[2]), tonumber(known[3])
  if tonumber(known[1]) ~= at then
    local oldest, fields = at - slices, redis.call('HGETALL', key)
    count, first = 0, at
    for j = 1, #fields, 2 do
      local slot = tonumber(fields[j])
      if slot and slot < oldest then
        redis.call('HDEL', key, fields[j])
      elseif slot then
        count = count + tonumber(fields[j + 1])
        first = math.min(first, slot)
      end
    end
    redis.call('HSET', key, 'at', at, 'n', count, 'first', first)
  end
  return count, math.max(1, (first + 1) * slice + window - now)
end

local rooms, waits, room = {}, {}, math.huge
for i, key in ipairs(KEYS) do
  local most, window = tonumber(ARGV[2 * i + 2]), tonumber(ARGV[2 * i + 3])
  local look = most <= log_max and logged or sliced
  local count, wait = look(key, most, window)
  if count >= most then return {0, i, math.ceil(wait)} end
  rooms[i], waits[i], room = most - count, math.ceil(wait), math.min(room, most - count)
end
local granted = math.min(tonumber(ARGV[2]), math.max(1, math.floor(room / share)))
local counted = granted > 1 and now + tonumber(ARGV[3]) or now
local answer = {granted, 0, 0, string.format('%.0f', counted)}
for i, key in ipairs(KEYS) do
  local most, window = tonumber(ARGV[2 * i + 2]), tonumber(ARGV[2 * i + 3])
  if most <= log_max then
    redis.call('ZADD', key, counted, ARGV[1])
    for permit = 2, granted do redis.call('ZADD', key, counted, ARGV[1] .. ':' .. permit) end
  else
    redis.call('HINCRBY', key, math.floor(counted / (window / slices)), granted)
    redis.call('HINCRBY', key, 'n', granted)
  end
  redis.call('PEXPIRE', key, math.ceil(window / 1000) + 1000)
  answer[2 * i + 3], answer[2 * i + 4] = rooms[i] - granted, waits[i]
end
return answer
"""
)

# Give the newest permits of a lease back, unused. ARGV: the member, how many it has, how many of them go back, the time
# at which they are counted, then limit and window of each key.
GIVE_BACK_PERMITS = Script(
    f"local log_max, slices = {LOG_MAX}, {SLICES}\n"
    + """
local granted, unused, counted = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
for i, key in ipairs(KEYS) do
  local most, window = tonumber(ARGV[2 * i + 3]), tonumber(ARGV[2 * i + 4])
  if most <= log_max then
    for permit = granted - unused + 1, granted do
      redis.call('ZREM', key, permit == 1 and ARGV[1] or ARGV[1] .. ':' .. permit)
    end
  else
    local slot = math.floor(counted / (window / slices))
    if redis.call('HEXISTS', key, slot) == 1 then
      redis.call('HINCRBY', key, slot, -unused)
      redis.call('HINCRBY', key, 'n', -unused)
    end
  end
end
return 0
"""
)

# Delete the tries of one source under one key: the members that begin with ARGV[1].
FORGET = Script("""
local gone = 0
for _, member in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  if string.sub(member, 1, string.len(ARGV[1])) == ARGV[1] then
    gone = gone + redis.call('ZREM', KEYS[1], member)
  end
end
return gone
""")

# Delete one try under each key.
GIVE_BACK = Script("""
for _, key in ipairs(KEYS) do redis.call('ZREM', key, ARGV[1]) end
return 0
""")
