-- End the lease on one message, whatever becomes of it.
--
-- KEYS  queue, processing:W, workers, deliveries, suspects, wake, dead, letters, running,
--       parked, reserved, unique (the queue again where the message holds no key)
-- ARGV  W, bytes, what: 'ack', 'drop', 'place', 'delay' or 'bury'; then
--       its new bytes or the dead letter, delay in seconds, the letter's id, the most dead
--       letters, their age in seconds, message id or '' without a unique key
-- Returns 1, or 0 if W does not hold the message (any more): then nothing was changed.
--
-- Atomic: leaving `processing:W` and standing where it belongs.
-- Sent twice: the second call finds nothing in `processing:W` and returns 0.

local W, raw, what, new, delay = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local now = clock()
local score = redis.call('ZSCORE', KEYS[2], raw)
if not score then
  return 0
end
local again = what == 'place' or what == 'delay'
local crashes = crashes_of(KEYS[4], raw)

-- Keep the letter in place of any other of its id, and forget what is too old or too many.
local function bury(dead, letters, id, most, age)
  redis.call('HEXISTS', letters, id)  -- fails where it is no hash, before anything is written
  redis.call('ZADD', dead, precise(now), id)
  redis.call('HSET', letters, id, new)
  forget(dead, letters, redis.call('ZRANGEBYSCORE', dead, '-inf', precise(now - age)))
  forget(dead, letters, redis.call('ZRANGE', dead, 0, -most - 1))
  redis.call('PEXPIRE', dead, math.ceil(age * 1000))
  redis.call('PEXPIRE', letters, math.ceil(age * 1000))
end

-- The message stands in its new place before it leaves the old one: where a key is of the
-- wrong type, the error leaves it with W.
may_write(KEYS[3])
if again then
  put_back(KEYS[1], KEYS[5], new, what == 'place' and score or precise(now + delay), crashes)
elseif what == 'bury' then
  bury(KEYS[7], KEYS[8], ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8]))
end
redis.call('ZREM', KEYS[2], raw)
if redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('ZREM', KEYS[3], W)
end
if crashes > 0 then
  redis.call('HDEL', KEYS[4], raw)
end
try_to_free_place(KEYS[1], KEYS[9], KEYS[10], KEYS[11], KEYS[6], raw, now)

if again then
  if crashes > 0 then
    redis.call('HSET', KEYS[4], new, crashes)
  end
  wake(KEYS[6])
  return 1
end

if ARGV[9] ~= '' then
  release_key(KEYS[12], ARGV[9], now)
end
return 1
