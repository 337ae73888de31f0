-- What W holds, for a client that lost a reply.
--
-- KEYS  for each queue: processing:W, deliveries
-- Returns the messages, now, then for each queue how many
--
-- Reads only.

local found = packed()
local answer = { '', '', '', precise(clock()) }
for i = 1, #KEYS, 2 do
  local rows = redis.call('ZRANGE', KEYS[i], 0, -1, 'WITHSCORES')
  pack_rows(found, rows, KEYS[i + 1])
  answer[#answer + 1] = #rows / 2
end
return unpacked(found, answer)
