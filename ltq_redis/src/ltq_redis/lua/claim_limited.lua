-- Lease due messages of one queue whose starts are limited, for all workers together.
--
-- KEYS  queue, processing:W, workers, deliveries, suspects, wake, running, parked,
--       reserved, rate, turn, paused, lines
-- ARGV  W, never used before; the most to claim, lease in seconds, 1 if the worker holds
--       nothing; then seconds between slots (0: no rate limit), burst, 1 if the rate
--       counts by key; places (0: no concurrency limit), 1 if they count by key; the
--       worker whom all its W have in common; how many seconds ahead it takes slots,
--       and how many it used them late; 1 if another worker is to be woken for what is left
-- Returns what `claim` returns, for one queue and no settled batch.
--
-- Atomic: a message and its slot or place.
-- Sent twice: as `claim`.
--
-- Slots follow the generic cell rate algorithm (ITU-T I.371) and may be given
-- ahead; the client starts the message at its slot. A message that must wait
-- stays where it stands, so that order is kept; with keys it would hold up the others,
-- and is moved to a line of its key. A slot is given when the message is leased and has
-- its place, never before: one that comes late lets no other start too soon.

local SCAN = 200      -- messages looked at in one call
local MISSED = 20     -- slots that may pass unused when the worker dies whose turn it is

local at = {
  queue = KEYS[1], processing = KEYS[2], workers = KEYS[3], deliveries = KEYS[4],
  suspects = KEYS[5], tokens = KEYS[6], running = KEYS[7], parked = KEYS[8],
  reserved = KEYS[9], rate = KEYS[10], turn = KEYS[11], lines = KEYS[13],
}
local W, most, lease, idle = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4] == '1'
local interval, burst, rate_keyed = tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7] == '1'
local places, places_keyed, worker = tonumber(ARGV[8]), ARGV[9] == '1', ARGV[10]
local ahead, late, told = tonumber(ARGV[11]), tonumber(ARGV[12]), ARGV[13] == '1'

local now = clock()
local due, till = precise(now), precise(now + ahead)
-- Slots and their horizon are compared as Redis compares their texts: what is moved beyond
-- it must not be found before it again.
local horizon, soonest = tonumber(till), tonumber(due)
local found = packed()
local status, claimed, given = 'ok', 0, false

-- Here and below a message is added where it goes before it is removed where it stands, and
-- takes its place last: an error on the way must lose neither.
local function take(from, member, raw, score, wait)
  local crashes = crashes_of(at.deliveries, raw)
  if claimed == 0 then
    redis.call('ZADD', at.workers, precise(now + lease), W)
  end
  redis.call('ZADD', at.processing, score, raw)
  redis.call('ZREM', from, member)
  pack(found, raw, score, crashes, wait)
  claimed = claimed + 1
end

-- The next slot of `key`, and the one after it.
local function slot_of(key)
  if interval == 0 then
    return now
  end
  local arrival = math.max(tonumber(redis.call('ZSCORE', at.rate, key) or 0), now)
  local slot = math.max(now, arrival - (burst - 1) * interval)
  return tonumber(precise(slot)), arrival + interval
end

-- What started late took the time of later slots: those to come wait as long, or a second
-- would see too many. Time in which nobody took a slot makes up for it.
local function put_off()
  if late > 0 then
    redis.call('ZINCRBY', at.rate, precise(late), '')
    given = true
  end
end

local function rate_key_of(raw)
  return rate_keyed and key_of(raw, 'rate_key') or ''
end

local function place_key_of(raw)
  return places_keyed and key_of(raw, 'concurrency_key') or ''
end

local function has_place(key)
  return places == 0 or tonumber(redis.call('HGET', at.running, key) or 0) < places
end

local function occupy(key)
  if places > 0 then
    redis.call('HINCRBY', at.running, key, 1)
  end
end

-- Lease a message that has its place, at the next slot of its key.
local function start(from, member, raw, score)
  local key = rate_key_of(raw)
  local slot, after = slot_of(key)
  if after then
    redis.call('ZADD', at.rate, precise(after), key)
    given = true
  end
  take(from, member, raw, score, slot - now)
end

local function park(from, member, raw, score, line)
  redis.call('ZADD', at.parked, 0, parked_as(line, score, raw))
  redis.call('ZREM', from, member)
end

-- Lease a message whose slot is near, or move it to the line of its place's key; '' if it
-- holds up the rest.
local function admit(from, member, raw, score)
  local key = place_key_of(raw)
  if has_place(key) then
    start(from, member, raw, score)
    occupy(key)
  elseif places_keyed then
    park(from, member, raw, score, place_line(key))
  else
    return ''
  end
end

-- What was given a place waits for its slot alone.
local function take_reserved()
  while claimed < most do
    local member = redis.call('ZRANGEBYSCORE', at.reserved, '-inf', till, 'LIMIT', 0, 1)[1]
    if not member then
      return
    end
    local raw, score = opened_reserved(member)
    local slot = slot_of(rate_key_of(raw))
    if slot > horizon then
      redis.call('ZADD', at.reserved, precise(slot), member)
    else
      start(at.reserved, member, raw, score)
    end
  end
end

-- What stands first in the lines of those keys whose next slot comes by `latest`, which is
-- `last` as text.
local function take_lines(last, latest)
  while claimed < most do
    local key = redis.call('ZRANGEBYSCORE', at.lines, '-inf', last, 'LIMIT', 0, 1)[1]
    if not key then
      return
    end
    local member, slot = first_parked(at.parked, rate_line(key)), slot_of(key)
    if member and slot <= latest then
      local blocked = admit(at.parked, member, opened_parked(member))
      if blocked then
        return blocked
      end
      member, slot = first_parked(at.parked, rate_line(key)), slot_of(key)
    end
    if member then
      redis.call('ZADD', at.lines, precise(slot), key)
    else
      redis.call('ZREM', at.lines, key)
    end
  end
end

-- Take one message from the queue, or move it; seconds to wait if it holds up the rest.
-- With keys only a slot that is there now is taken at once: one that is merely near would
-- come before the free slots of the keys behind it, each time again.
local function consider(raw, score)
  local key = rate_key_of(raw)
  local slot = slot_of(key)
  local line = rate_keyed and redis.call('ZSCORE', at.lines, key)
  if rate_keyed and (line or slot > soonest) then
    park(at.queue, raw, raw, score, rate_line(key))
    if not line then
      redis.call('ZADD', at.lines, precise(slot), key)
    end
  elseif slot > horizon then
    return slot - now - ahead / 2
  else
    return admit(at.queue, raw, raw, score)
  end
end

local function take_due()
  local rows = redis.call('ZRANGEBYSCORE', at.queue, '-inf', due, 'WITHSCORES', 'LIMIT', 0, SCAN)
  for i = 1, #rows, 2 do
    if claimed >= most then
      return
    end
    local blocked = consider(rows[i], rows[i + 1])
    if blocked then
      return blocked
    end
  end
end

-- Of all who wait for the same slot one asks for it. The others look again later, in case
-- it is gone: after MISSED slots, but a second at most.
local function turn(wait)
  local holder = redis.call('GET', at.turn)
  if holder and holder ~= worker then
    return math.max(math.min(1, MISSED * interval), wait + 0.2)
  end
  redis.call('SET', at.turn, worker, 'PX', math.ceil((wait + 0.2) * 1000))
  return wait
end

-- Who has taken its slot may have no room for the next one.
local function give_turn_back()
  if given and redis.call('GET', at.turn) == worker then
    redis.call('DEL', at.turn)
  end
end

local function next_due()
  local head = redis.call('ZRANGE', at.queue, 0, 0, 'WITHSCORES')
  local wait = head[2] and math.max(0, tonumber(head[2]) - now)
  for _, key in ipairs({ at.reserved, at.lines }) do
    local first = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
    if first[2] then
      wait = math.min(wait or math.huge, math.max(0, tonumber(first[2]) - now - ahead / 2))
    end
  end
  if not wait then
    redis.call('DEL', at.tokens)
    return ''
  end
  if wait == 0 and told then
    wake(at.tokens)
  end
  return precise(wait)
end

local function forget_slots()
  if given then
    redis.call('ZREMRANGEBYSCORE', at.rate, '-inf', '(' .. due)
    local last = redis.call('ZREVRANGE', at.rate, 0, 0, 'WITHSCORES')
    if last[2] then
      redis.call('PEXPIRE', at.rate, math.ceil((tonumber(last[2]) - now) * 1000) + 1000)
    end
  end
end

-- Seconds until the next look, as text: '' without one.
local function claim()
  claimed = leased(found, at.workers, at.processing, at.deliveries, W)
  if claimed > 0 or redis.call('EXISTS', KEYS[12]) == 1 then
    return ''
  end
  may_write(at.workers)
  local head = redis.call('ZRANGEBYSCORE', at.suspects, '-inf', due, 'WITHSCORES', 'LIMIT', 0, 1)
  if #head == 2 then
    local key = place_key_of(head[1])
    status = 'suspects'
    if idle and has_place(key) then
      take(at.suspects, head[1], head[1], head[2], 0)
      occupy(key)
      status = 'alone'
      return next_due()
    end
  end
  put_off()
  take_reserved()
  local blocked = take_lines(due, soonest) or take_due() or take_lines(till, horizon)
  forget_slots()
  if blocked == '' then
    return ''
  end
  if blocked then
    return precise(turn(blocked))
  end
  give_turn_back()
  return next_due()
end

local fine, wait = pcall(claim)
if not fine then
  status, wait = own_error(wait), ''
end
return unpacked(found, { '', '', '', due, status, claimed, wait })
