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
  return tonumber(redis.call('HGET', deliveries, raw) or 0)
end

-- Put `raw` where it waits: a suspect on its own shelf, everything else in the queue.
local function put_back(queue, suspects, raw, score, crashes)
  redis.call('ZADD', crashes >= SUSPECT and suspects or queue, score, raw)
end

-- Messages for a reply: each followed by its score, just as Redis lists them.
local function packed()
  return { rows = {}, crashes = {}, waits = {} }
end

local function pack(into, raw, score, crashes, wait)
  local rows = into.rows
  local n = #rows / 2 + 1
  rows[2 * n - 1], rows[2 * n] = raw, score
  into.crashes[n], into.waits[n] = crashes, tostring(wait)
  into.special = into.special or crashes > 0 or wait > 0
end

-- Pack a whole list, of messages that never crashed and need not wait.
local function pack_rows(into, rows)
  if #into.rows == 0 then
    into.rows = rows
    return
  end
  for i = 1, #rows, 2 do
    pack(into, rows[i], rows[i + 1], 0, 0)
  end
end

-- What is packed, as the first three values of a reply: messages and scores; then for each
-- message its crashes, and the seconds until its reserved slot. Where all of these are zero
-- both are left out.
local function unpacked(from, answer)
  answer[1], answer[2], answer[3] = from.rows, {}, {}
  if from.special then
    for n = 1, #from.rows / 2 do
      answer[2][n], answer[3][n] = from.crashes[n] or 0, from.waits[n] or '0'
    end
  end
  return answer
end

-- What W leased already, in case a claim is sent again; packs it.
local function leased(into, workers, processing, deliveries, W)
  if not redis.call('ZSCORE', workers, W) then
    return 0
  end
  local rows = redis.call('ZRANGE', processing, 0, -1, 'WITHSCORES')
  for i = 1, #rows, 2 do
    pack(into, rows[i], rows[i + 1], crashes_of(deliveries, rows[i]), 0)
  end
  return #rows / 2
end

-- The text of an error that concerns one queue alone: a key of the wrong type. Any other
-- one, such as READONLY, is raised again.
local function wrong_type(failure)
  local text = type(failure) == 'table' and failure.err or tostring(failure)
  if not string.find(text, 'WRONGTYPE', 1, true) then
    error(text, 0)
  end
  return text
end
