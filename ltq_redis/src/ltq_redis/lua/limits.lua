-- Shared by the scripts that know limits; see `claim_limited`.
--
-- running   hash: key of a place ('' without keys) -> messages that hold one
-- parked    sorted set, all of score 0: key, a zero byte, the old score in 24 digits, a
--           zero byte, bytes. Read by key, in the order of the queue.
-- reserved  sorted set: 'p' (holds a place) or 'r' (does not), old score, a zero byte,
--           bytes; scored by the time of its slot
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
  local from = key .. '\0'
  local heirs = redis.call('ZRANGEBYLEX', parked, '[' .. from, '(' .. key .. '\1', 'LIMIT', 0, 1)
  if #heirs == 1 then
    redis.call('ZREM', parked, heirs[1])
    local rest = string.sub(heirs[1], #from + 1)
    local score = string.gsub(string.sub(rest, 1, 24), '^0+', '')
    redis.call('ZADD', reserved, precise(now), 'p' .. score .. '\0' .. string.sub(rest, 26))
    wake(tokens)
    return
  end
  leave_place(running, raw)
  if redis.call('EXISTS', queue) == 1 then
    wake(tokens)
  end
end

-- As `free_place`; where keys are of the wrong type, nobody is woken.
local function try_to_free_place(queue, running, parked, reserved, tokens, raw, now)
  local fine, failure = pcall(free_place, queue, running, parked, reserved, tokens, raw, now)
  if not fine then
    wrong_type(failure)
    pcall(leave_place, running, raw)
  end
end

-- Whoever holds the key has ended: it stays for the rest of its time, or goes.
local function release_key(unique, id, now)
  local held = redis.call('GET', unique)
  local holder, till = string.match(held or '', '^(%S+) (%S+)$')
  if holder ~= id then
    return
  end
  if tonumber(till) > now then
    redis.call('PEXPIRE', unique, math.ceil((tonumber(till) - now) * 1000))
  else
    redis.call('DEL', unique)
  end
end
