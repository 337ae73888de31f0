-- Let what waits for a limit that is gone wait in the queue again.
--
-- KEYS  queue, wake, running, parked, reserved, lines
-- Returns how many messages were moved; call again while there are any.
--
-- Atomic: a message stands in one place.
-- Sent twice: moves the next ones, or none.

local SOME = 500

local moved = 0
for i = 4, 5 do
  for _, member in ipairs(redis.call('ZRANGE', KEYS[i], 0, SOME - 1)) do
    local raw, score = (i == 4 and opened_parked or opened_reserved)(member)
    may_write(KEYS[i])
    redis.call('ZADD', KEYS[1], score, raw)
    redis.call('ZREM', KEYS[i], member)
    moved = moved + 1
  end
end
if moved > 0 then
  redis.call('DEL', KEYS[3], KEYS[6])
  wake(KEYS[2])
end
return moved
