-- Settle what ran well, then lease due messages, over several queues in one step.
--
-- KEYS  for each settled batch: processing:W, workers; then for each queue to claim
--       from: queue, processing:W, workers, deliveries, suspects, wake, paused
-- ARGV  number of settled batches, limit over all queues, lease in seconds, 1 if the
--       worker holds nothing; then for each settled batch: W, number of messages, 1 if
--       these are all that W holds, else their bytes; then for each queue: W, never used
--       before, and the most to claim
-- Returns the messages, now; for each settled batch the messages that W did not
--       hold, or -1 if W held others than these and nothing was changed; for each queue:
--       status, claimed, next due
--       status: 'ok', 'suspects' (some wait for a worker that holds nothing), 'alone'
--       (the message is a suspect), 'skipped' (not looked at), or the text of an error,
--       which stops this queue alone
--
-- Atomic: all of it; a message is in exactly one place at any time.
-- Sent twice: the acks find nothing and say so, and what the first call leased is returned
-- again.

local settled, limit, lease, idle = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4] == '1'
local now = clock()
local due, deadline = precise(now), precise(now + tonumber(lease))
local found = packed()
local answer = { '', '', '', due }
local arg = 5

-- All that W holds is done: its key goes as a whole, unless W holds something that the
-- client does not know of, or somebody may have begun to take it over.
local function finish(processing, workers, W, count)
  local ends = redis.call('ZSCORE', workers, W)
  if not ends or tonumber(ends) <= now or redis.call('ZCARD', processing) ~= count then
    return -1
  end
  redis.call('DEL', processing)
  redis.call('ZREM', workers, W)
  return 0
end

local function settle(processing, workers, W, count)
  local removed = 0
  for i = arg, arg + count - 1, CHUNK do
    local last = math.min(i + CHUNK, arg + count) - 1
    removed = removed + redis.call('ZREM', processing, unpack(ARGV, i, last))
  end
  arg = arg + count
  if redis.call('EXISTS', processing) == 0 then
    redis.call('ZREM', workers, W)
  end
  return count - removed
end

local function join(at, W)
  may_write(at.workers)
  redis.call('ZADD', at.workers, deadline, W)
end

local function first_suspect(at)
  return redis.call('ZRANGEBYSCORE', at.suspects, '-inf', due, 'WITHSCORES', 'LIMIT', 0, 1)
end

local function take_suspect(at, W, head)
  local crashes = crashes_of(at.deliveries, head[1])
  join(at, W)
  redis.call('ZREM', at.suspects, head[1])
  redis.call('ZADD', at.processing, head[2], head[1])
  pack(found, head[1], head[2], crashes, 0)
end

-- All that may fail is read before the first write: an error must not part a message
-- from its queue.
local function take_due(at, W, most, crashed)
  local rows = redis.call('ZRANGEBYSCORE', at.queue, '-inf', due, 'WITHSCORES', 'LIMIT', 0, most)
  if #rows == 0 then
    return 0
  end
  pack_rows(found, rows, crashed and at.deliveries or nil)
  local last = #rows / 2 - 1
  join(at, W)
  redis.call('ZRANGESTORE', at.processing, at.queue, 0, last)
  redis.call('ZREMRANGEBYRANK', at.queue, 0, last)
  return #rows / 2
end

-- Seconds until the next message is due: '' without one. Whoever leaves due messages
-- behind wakes the next worker; the tokens go with the last message.
local function next_due(at)
  local head = redis.call('ZRANGE', at.queue, 0, 0, 'WITHSCORES')
  if #head == 0 then
    redis.call('DEL', at.tokens)
    return ''
  end
  local wait = tonumber(head[2]) - now
  if wait <= 0 then
    wake(at.tokens)
  end
  return precise(math.max(0, wait))
end

local row

local function claim(at, W, most)
  row.status = 'ok'
  row.claimed = leased(found, at.workers, at.processing, at.deliveries, W)
  -- Of what is rare one question tells that none is there.
  local rare = redis.call('EXISTS', at.paused, at.suspects, at.deliveries) > 0
  if row.claimed > 0 or (rare and redis.call('EXISTS', at.paused) == 1) then
    limit = limit - row.claimed
    return
  end
  local head = rare and first_suspect(at) or {}
  if #head == 2 and idle and #found.rows == 0 then
    take_suspect(at, W, head)
    row.status, row.claimed, limit = 'alone', 1, 0
  else
    row.status = #head == 2 and 'suspects' or 'ok'
    row.claimed = take_due(at, W, most, rare)
    limit = limit - row.claimed
  end
  row.wait = next_due(at)
end

-- A queue that is not looked at may have spent its token on this worker.
local function pass_on(at)
  if redis.call('ZCOUNT', at.queue, '-inf', due) > 0 then
    wake(at.tokens)
  end
end

for i = 1, 2 * settled, 2 do
  local W, count, all = ARGV[arg], tonumber(ARGV[arg + 1]), ARGV[arg + 2] == '1'
  arg = arg + 3
  answer[#answer + 1] = (all and finish or settle)(KEYS[i], KEYS[i + 1], W, count)
end
for i = 2 * settled + 1, #KEYS, 7 do
  local at = {
    queue = KEYS[i], processing = KEYS[i + 1], workers = KEYS[i + 2],
    deliveries = KEYS[i + 3], suspects = KEYS[i + 4], tokens = KEYS[i + 5], paused = KEYS[i + 6],
  }
  local W, most = ARGV[arg], tonumber(ARGV[arg + 1])
  arg = arg + 2
  row = { status = 'skipped', claimed = 0, wait = '' }
  if limit > 0 then
    local left = (#KEYS - i + 1) / 7
    local fine, failure = pcall(claim, at, W, math.min(most, math.ceil(limit / left)))
    if not fine then
      row.status = own_error(failure)
    end
  else
    pcall(pass_on, at)
  end
  answer[#answer + 1] = row.status
  answer[#answer + 1] = row.claimed
  answer[#answer + 1] = row.wait
end
return unpacked(found, answer)
