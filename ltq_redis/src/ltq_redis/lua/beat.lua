-- Renew the leases of batches, and look for workers that died.
--
-- KEYS  for each queue: workers, then processing:W for each of its batches
-- ARGV  lease in seconds, then for each queue: number of batches, and each W
-- Returns for each queue: the ids of some workers whose lease has ended, and for each
--       batch how many messages W holds, or -1 if its lease has ended; or the text of an
--       error, which stops this queue alone
--
-- Sent twice: a lease is renewed twice.
--
-- An idle worker calls this for all its queues: one EXISTS tells that nobody works.

-- Ended workers told of in one call, for each queue.
local SOME = 1000

local some = false
for i = 1, #KEYS, CHUNK do
  some = some or redis.call('EXISTS', unpack(KEYS, i, math.min(i + CHUNK - 1, #KEYS))) > 0
end
if not some then
  return {}
end

local now, lease = clock(), tonumber(ARGV[1])

local function renew(workers, processing, W)
  if not redis.call('ZSCORE', workers, W) then
    return -1
  end
  may_write(workers)
  redis.call('ZADD', workers, 'XX', precise(now + lease), W)
  return redis.call('ZCARD', processing)
end

local function beat(key, arg, count)
  local held = {}
  for i = 1, count do
    held[i] = renew(KEYS[key], KEYS[key + i], ARGV[arg + i])
  end
  return { redis.call('ZRANGEBYSCORE', KEYS[key], '-inf', precise(now), 'LIMIT', 0, SOME), held }
end

local answer = {}
local key, arg = 1, 2
while key <= #KEYS do
  local count = tonumber(ARGV[arg])
  local fine, row = pcall(beat, key, arg, count)
  answer[#answer + 1] = fine and row or own_error(row)
  key, arg = key + count + 1, arg + count + 1
end
return answer
