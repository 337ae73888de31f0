-- Remove waiting messages, a bounded number of them.
--
-- KEYS  where they wait, queue, wake, deliveries, running, parked, lines, then unique keys
-- ARGV  for each message: its member, the number of the unique key that it holds or 0,
--       its id
--
-- Atomic: a message, and the key and the place that it holds. What was claimed since it
--       was read keeps both.
-- Sent twice: removes nothing more.

local now = clock()
for i = 1, #ARGV, 3 do
  local member, unique = ARGV[i], tonumber(ARGV[i + 1])
  if redis.call('ZREM', KEYS[1], member) == 1 then
    local raw = string.match(member, '[^%z]*$')
    redis.call('HDEL', KEYS[4], raw)
    -- Only what stands reserved with a place begins like this; JSON does not.
    if string.match(member, '^p[^%z]*%z') then
      leave_place(KEYS[5], raw)
    end
    if unique > 0 then
      release_key(KEYS[7 + unique], ARGV[i + 2], now)
    end
  end
end
if redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('DEL', KEYS[3])
end
if redis.call('EXISTS', KEYS[6]) == 0 then
  redis.call('DEL', KEYS[7])
end
