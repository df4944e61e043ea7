"""The second level's steps as Lua: each is atomic in Redis and reads the time of Redis, so no process's clock matters.

A value carries the generations of its tags and an as-of time: it reflects every commit before that time. A heartbeat
of time t says that every invalidation committed before t has been applied. A reader trusts a value whose as-of time
or whose heartbeat is younger than its bound (docs/caching.md). Times are microseconds.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Script:
    """Lua text and the SHA-1 by which EVALSHA names it."""

    text: str
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sha", hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest())


_NOW = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local function text(number) return string.format('%.0f', number) end
"""

# Generations begin as random ones, so one that was evicted or flushed never comes back: a missing one differs from
# every other. An invalidation puts another in place of each that is there; who knows the old one and the event knows
# the new one.
_REPLACED = """
local function replaced(generation, event) return redis.sha1hex(generation .. event) end
"""

# A lease keeps them for as long as itself, so that what is never filled (a wrong credential) leaves nothing; a fill
# keeps them for two hours, longer than any value.
_GENERATIONS = """
local function generations(first, last, seed, seed_ms)
  local found = {}
  for i = first, last do
    local generation = redis.call('GET', KEYS[i])
    if seed and not generation then
      generation = seed
      redis.call('SET', KEYS[i], generation, 'PX', seed_ms)
    elseif seed then
      redis.call('PEXPIRE', KEYS[i], seed_ms, 'GT')
    end
    found[#found + 1] = generation or ''
  end
  return table.concat(found, ',')
end
"""

# The state in a script's answer: a value that may be trusted.
HIT: Final = 1
# No value, and this reader holds the lease.
MISS: Final = 0
# No value, and another reader holds the lease.
HELD: Final = -1

# KEYS value, lease, heartbeats..., tags...   ARGV token, lease ms, bound µs, minimum version, heartbeats
# Answers {state, data, version, age of the evidence µs, age of the value µs, leased}.
GET: Final = Script(
    _NOW
    + _GENERATIONS
    + """
local first_tag = 3 + tonumber(ARGV[5])
local heartbeat = now
for i = 3, first_tag - 1 do
  local beat = tonumber(redis.call('GET', KEYS[i]) or '0')
  if beat > now then beat = 0 end
  if beat < heartbeat then heartbeat = beat end
end
if first_tag == 3 then heartbeat = 0 end
local function lease()
  if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
  local held = generations(first_tag, #KEYS, ARGV[1], ARGV[2])
  redis.call('HSET', KEYS[2], 'token', ARGV[1], 'as_of', text(now), 'generations', held)
  redis.call('PEXPIRE', KEYS[2], ARGV[2])
  return 1
end
local value = redis.call('HMGET', KEYS[1], 'data', 'version', 'as_of', 'generations', 'refresh_at')
if value[1] then
  local as_of = tonumber(value[3])
  local evidence = now - math.max(heartbeat, as_of)
  if as_of <= now and evidence < tonumber(ARGV[3]) and tonumber(value[2]) >= tonumber(ARGV[4])
      and value[4] == generations(first_tag, #KEYS) then
    local leased = 0
    if now >= tonumber(value[5]) then leased = lease() end
    return {1, value[1], value[2], text(evidence), text(now - as_of), leased}
  end
end
local leased = lease()
return {leased - 1, '', '0', '0', '0', leased}
"""
)

# Stores the data of ARGV[first], the version, the ttl in ms and the share of it after which a reader refreshes, each
# an argument after the one before.
_STORE = """
local function store(first_tag, first, as_of, generations)
  local ttl = ARGV[first + 2]
  for i = first_tag, #KEYS do redis.call('PEXPIRE', KEYS[i], 7200000) end
  redis.call('HSET', KEYS[1], 'data', ARGV[first], 'version', ARGV[first + 1], 'as_of', as_of,
             'generations', generations, 'refresh_at', text(now + ttl * 1000 * ARGV[first + 3]))
  redis.call('PEXPIRE', KEYS[1], ttl)
end
"""

# KEYS value, lease, tags...   ARGV token, data, version, ttl ms, share of the ttl after which a reader refreshes
FILL: Final = Script(
    _NOW
    + _GENERATIONS
    + _STORE
    + """
local lease = redis.call('HMGET', KEYS[2], 'token', 'as_of', 'generations')
if lease[1] ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[2])
if lease[3] ~= generations(3, #KEYS) then return 0 end
store(3, 2, lease[2], lease[3])
return 1
"""
)

# KEYS tags...   ARGV token, lease ms
# Before a write: its answer is a load that begins now. Answers {time, generations}.
NOTE: Final = Script(
    _NOW
    + _GENERATIONS
    + """
return {text(now), generations(1, #KEYS, ARGV[1], ARGV[2])}
"""
)

# KEYS value, tags...   ARGV as-of, generations, event, data, version, ttl ms, share
# After the write: its answer is stored if each generation is the noted one, or the one by which the write's own event
# has replaced it. A reader's value of the same generations that is as new stays, because its evidence is younger.
WRITE: Final = Script(
    _NOW
    + _GENERATIONS
    + _REPLACED
    + _STORE
    + """
if tonumber(ARGV[1]) > now then return 0 end
local i = 2
for noted in string.gmatch(ARGV[2], '[^,]+') do
  local generation = KEYS[i] and redis.call('GET', KEYS[i])
  if generation ~= noted and generation ~= replaced(noted, ARGV[3]) then return 0 end
  i = i + 1
end
if i ~= #KEYS + 1 then return 0 end
local held = generations(2, #KEYS)
local value = redis.call('HMGET', KEYS[1], 'version', 'generations')
if value[2] == held and tonumber(value[1]) >= tonumber(ARGV[5]) then return 0 end
store(2, 4, ARGV[1], held)
return 1
"""
)

# KEYS lease   ARGV token
# The load failed: the next reader need not wait until the lease ends.
RELEASE: Final = Script(
    """
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""
)

# KEYS value   ARGV data
# The data is none that its reader can use; what another has stored since stays.
DISCARD: Final = Script(
    """
if redis.call('HGET', KEYS[1], 'data') ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""
)

# KEYS marker, tags...   ARGV marker ms, event
# The marker makes a second application of the same event a no-op, so the relay does not undo the writer's fills.
INVALIDATE: Final = Script(
    _REPLACED
    + """
if not redis.call('SET', KEYS[1], '1', 'NX', 'PX', ARGV[1]) then return 0 end
for i = 2, #KEYS do
  local generation = redis.call('GET', KEYS[i])
  if generation then redis.call('SET', KEYS[i], replaced(generation, ARGV[2]), 'KEEPTTL') end
end
return 1
"""
)

_RUN_ID = """
local run_id = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
"""

# KEYS adopted run, tag of the service
# Answers {time, run id}: the relay asks before it reads what is committed. A server that is another one than before may
# hold what was invalidated since (a promoted replica, a restored file), so all values of the service are replaced.
BEGIN: Final = Script(
    _NOW
    + _RUN_ID
    + """
if redis.call('GET', KEYS[1]) ~= run_id then
  redis.call('DEL', KEYS[2])
  redis.call('SET', KEYS[1], run_id)
end
return {text(now), run_id}
"""
)

# KEYS heartbeat   ARGV begin time, run id
# A server that is not the one that was brought up to date keeps its old heartbeat.
BEAT: Final = Script(
    _NOW
    + _RUN_ID
    + """
if run_id ~= ARGV[2] then return 0 end
local beat = tonumber(redis.call('GET', KEYS[1]) or '0')
if beat > now or tonumber(ARGV[1]) > beat then redis.call('SET', KEYS[1], ARGV[1], 'PX', 60000) end
return 1
"""
)
