-- Publish a message unless another one holds its key.
--
-- KEYS  queue, wake, unique
-- ARGV  message id, bytes, delay in seconds, seconds for which the key is held at least,
--       seconds after which a key that nobody released goes
-- Returns the id of the message that holds the key.
--
-- Atomic: the key and the message.
-- Sent twice: the key is held by this very id, and the message that waits stays as it is.

local held = redis.call('GET', KEYS[3])
local holder = held and string.match(held, '^(.*) ')
if holder and holder ~= ARGV[1] then
  return holder
end
local now = clock()
local due = now + tonumber(ARGV[3])
redis.call('ZADD', KEYS[1], 'NX', precise(due), ARGV[2])
if not holder then
  local till = now + tonumber(ARGV[4])
  redis.call('SET', KEYS[3], ARGV[1] .. ' ' .. precise(till), 'EX', ARGV[5])
end
wake(KEYS[2])
return ARGV[1]
