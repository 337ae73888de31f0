-- Take over what a worker holds: of one whose lease has ended, or of one that leaves.
--
-- KEYS  queue, processing:W, workers, deliveries, suspects, wake, running, parked, reserved
-- ARGV  W, 1 if its lease must have ended: then each message counts a crash
-- Returns how many messages were taken over; call again while there are as many as the
--       bound.
--
-- Atomic: a message leaves `processing:W` for its old place, and is counted.
-- Sent twice: takes over the next messages, or finds none.

local BOUND = 200

local W, died = ARGV[1], ARGV[2] == '1'
local now = clock()
local deadline = redis.call('ZSCORE', KEYS[3], W)
if died and not (deadline and tonumber(deadline) <= now) then
  return 0
end
local rows = redis.call('ZRANGE', KEYS[2], 0, BOUND - 1, 'WITHSCORES')
may_write(KEYS[3])
for i = 1, #rows, 2 do
  local raw, score = rows[i], rows[i + 1]
  local crashes = crashes_of(KEYS[4], raw) + (died and 1 or 0)
  -- First where it may not fit: a queue of the wrong type leaves it with W.
  put_back(KEYS[1], KEYS[5], raw, score, crashes)
  redis.call('ZREM', KEYS[2], raw)
  if died then
    redis.call('HSET', KEYS[4], raw, crashes)
  end
  try_to_free_place(KEYS[1], KEYS[7], KEYS[8], KEYS[9], KEYS[6], raw, now)
end
if #rows > 0 then
  wake(KEYS[6])
end
if redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('ZREM', KEYS[3], W)
end
return #rows / 2
