-- Publish a schedule's tick, once.
--
-- KEYS  queue, wake, cron
-- ARGV  job, tick in seconds, bytes, seconds for which the last tick is remembered
-- Returns 1, or 0 if the job's last tick is not earlier.
--
-- Atomic: the last tick moves forward together with its message.
-- Sent twice: the second call finds the tick published and returns 0.

local last = redis.call('HGET', KEYS[3], ARGV[1])
if last and tonumber(last) >= tonumber(ARGV[2]) then
  return 0
end
redis.call('ZADD', KEYS[1], 'NX', precise(clock()), ARGV[3])
redis.call('HSET', KEYS[3], ARGV[1], ARGV[2])
redis.call('EXPIRE', KEYS[3], ARGV[4])
wake(KEYS[2])
return 1
