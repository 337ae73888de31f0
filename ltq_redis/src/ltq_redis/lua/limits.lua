-- Shared by the scripts that know limits; see `claim_limited`.
--
-- running   hash: key of a place ('' without keys) -> messages that hold one
-- parked    sorted set, all of score 0: a line, the old score with 12 digits before its
--           point, a zero byte, bytes. Read by line, in the order of the queue. A line is
--           'c' (waits for a place) or 'r' (for a slot), the key, a zero byte.
-- reserved  sorted set: 'p', old score, a zero byte, bytes of what was given a place and
--           not leased yet; scored by when its slot may come
-- lines     sorted set: key of a rate -> when the first message of its line may start
-- rate      sorted set: key ('' without keys) -> time of the next slot
-- unique    text: message id, a space, until when the key is held at least

local function context_of(raw)
  local fine, message = pcall(cjson.decode, raw)
  local ctx = fine and type(message) == 'table' and message.ctx
  return type(ctx) == 'table' and ctx or {}
end

-- Without zero bytes, which separate a key from what follows it.
local function key_of(raw, option)
  local key = context_of(raw)[option]
  return type(key) == 'string' and (string.gsub(key, '%z', ' ')) or ''
end

local function place_line(key)
  return 'c' .. key .. '\0'
end

local function rate_line(key)
  return 'r' .. key .. '\0'
end

local function first_parked(parked, line)
  local till = string.sub(line, 1, -2) .. '\1'
  return redis.call('ZRANGEBYLEX', parked, '[' .. line, '(' .. till, 'LIMIT', 0, 1)[1]
end

-- Whoever puts a message into the queue by hand may score it below zero, which says no
-- more than zero: due, and first.
local function parked_as(line, score, raw)
  if string.sub(score, 1, 1) == '-' then
    score = '0'
  end
  local digits = string.match(score, '^%d*')
  return line .. string.rep('0', 12 - #digits) .. score .. '\0' .. raw
end

-- The bytes and the old score.
local function opened_parked(member)
  local score, raw = string.match(member, '^[^%z]*%z0*(%d[^%z]*)%z(.*)$')
  return raw, score
end

local function opened_reserved(member)
  local score, raw = string.match(member, '^p([^%z]*)%z(.*)$')
  return raw, score
end

-- The key under which a message holds a place.
local function place_of(running, raw)
  local key = key_of(raw, 'concurrency_key')
  return redis.call('HEXISTS', running, key) == 1 and key or ''
end

local function leave_place(running, raw)
  local key = place_of(running, raw)
  if redis.call('HINCRBY', running, key, -1) <= 0 then
    redis.call('HDEL', running, key)
  end
end

-- A message that held a place has left: the next one of its key takes the place over,
-- or somebody who waits for any place is woken.
local function free_place(queue, running, parked, reserved, tokens, raw, now)
  if redis.call('EXISTS', running) == 0 then
    return
  end
  local key = place_of(running, raw)
  local line = place_line(key)
  local heir = first_parked(parked, line)
  if heir then
    local bytes, score = opened_parked(heir)
    redis.call('ZADD', reserved, precise(now), 'p' .. score .. '\0' .. bytes)
    redis.call('ZREM', parked, heir)
    wake(tokens)
    return
  end
  leave_place(running, raw)
  -- Without keys whoever waits for a slot may wait for this place too.
  if redis.call('EXISTS', queue) == 1 or (key == '' and redis.call('EXISTS', parked) == 1) then
    wake(tokens)
  end
end

-- As `free_place`; where keys are of the wrong type, nobody is woken.
local function try_to_free_place(queue, running, parked, reserved, tokens, raw, now)
  local fine, failure = pcall(free_place, queue, running, parked, reserved, tokens, raw, now)
  if not fine then
    own_error(failure)
    pcall(leave_place, running, raw)
  end
end

-- Whoever holds the key has ended: it stays for the rest of its time, or goes.
local function release_key(unique, id, now)
  local held = redis.call('GET', unique)
  local holder, till = string.match(held or '', '^(.*) (%S+)$')
  if holder ~= id then
    return
  end
  if tonumber(till) > now then
    redis.call('PEXPIRE', unique, math.ceil((tonumber(till) - now) * 1000))
  else
    redis.call('DEL', unique)
  end
end
