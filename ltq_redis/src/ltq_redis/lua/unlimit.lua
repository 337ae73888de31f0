-- Let what waits for a limit that is gone wait in the queue again.
--
-- KEYS  queue, wake, running, parked, reserved
-- Returns how many messages were moved; call again while there are any.
--
-- Atomic: a message stands in one place.
-- Sent twice: moves the next ones, or none.

local SOME = 500

local moved = 0
for i = 4, 5 do
  for _, member in ipairs(redis.call('ZRANGE', KEYS[i], 0, SOME - 1)) do
    local score, raw
    if i == 4 then
      score, raw = string.match(member, '^[^%z]*%z0*([^%z]*)%z(.*)$')
    else
      score, raw = string.match(member, '^.([^%z]*)%z(.*)$')
    end
    may_write(KEYS[i])
    redis.call('ZADD', KEYS[1], score, raw)
    redis.call('ZREM', KEYS[i], member)
    moved = moved + 1
  end
end
if moved > 0 then
  redis.call('DEL', KEYS[3])
  wake(KEYS[2])
end
return moved
