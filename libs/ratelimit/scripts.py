"""The limiter's steps as Lua: each is atomic in Redis and reads the time of Redis, so no process's clock matters."""

from libs.cache.scripts import Script
from libs.ratelimit.limits import LOG_MAX, SLICES

# All keys are looked at before any is counted under. Times in microseconds. ARGV: the member, then limit and window of
# each key. A log (sorted set) up to LOG_MAX. Above, a hash of SLICES a window: the slice that is half outside counts
# whole, so never more than the limit pass; `n` is the sum as of slice `at`, so that most tries read three fields.
TAKE = Script(
    f"local log_max, slices = {LOG_MAX}, {SLICES}\n"
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

local left = {}
for i, key in ipairs(KEYS) do
  local most, window = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  local look = most <= log_max and logged or sliced
  local count, wait = look(key, most, window)
  if count >= most then return {i, math.ceil(wait)} end
  left[2 * i - 1], left[2 * i] = most - count - 1, math.ceil(wait)
end
for i, key in ipairs(KEYS) do
  local most, window = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  if most <= log_max then
    redis.call('ZADD', key, now, ARGV[1])
  else
    redis.call('HINCRBY', key, math.floor(now / (window / slices)), 1)
    redis.call('HINCRBY', key, 'n', 1)
  end
  redis.call('PEXPIRE', key, math.ceil(window / 1000) + 1000)
end
return {0, 0, unpack(left)}
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
