-- Shared by all scripts; each is sent as this file and its own, joined.
--
-- Scores travel as the text that Redis printed them in: a Lua number formatted again
-- would lose microseconds.
--
-- Memory full (maxmemory): Redis refuses a script's first write if it adds, and lets
-- every write pass once the script has removed something. So whatever drains a queue
-- removes before it adds, and `may_write` is a removal that removes nothing.

-- Below Lua's limit on the values that unpack can push.
local CHUNK = 1000

-- Deliveries that ended with their worker from which on a message runs alone.
local SUSPECT = 2

local function clock()
  local t = redis.call('TIME')
  return t[1] + t[2] / 1000000
end

local function precise(seconds)
  return string.format('%.6f', seconds)
end

local function may_write(workers)
  redis.call('ZREM', workers, '')
end

-- Let one idle worker look at the queue; a token that stands is enough. Where the key is of
-- a wrong type there is no waking: what was written before must not fail for that.
local function wake(tokens)
  if redis.pcall('LLEN', tokens) == 0 then
    redis.call('RPUSH', tokens, 1)
  end
end

-- Deliveries of `raw` that ended with their worker.
local function crashes_of(deliveries, raw)
  return tonumber(redis.call('HGET', deliveries, raw) or 0) or 0
end

-- Put `raw` where it waits: a suspect on its own shelf, everything else in the queue.
local function put_back(queue, suspects, raw, score, crashes)
  redis.call('ZADD', crashes >= SUSPECT and suspects or queue, score, raw)
end

-- The text of an error that concerns one queue alone: a key of the wrong type, or junk in
-- one. Any other one, such as READONLY, is raised again.
local function own_error(failure)
  local text = type(failure) == 'table' and failure.err or tostring(failure)
  -- With their spaces: ' is not a' would be found in ' is not allowed from script' too.
  local signs = {
    'WRONGTYPE', ' is not a ', ' is not an ', 'must be strings or integers', 'attempt to ',
  }
  for _, sign in ipairs(signs) do
    if string.find(text, sign, 1, true) then
      return text
    end
  end
  error(text, 0)
end
