-- Store messages in their queues.
--
-- KEYS  for each queue: queue, wake
-- ARGV  for each message: index of its queue (from 1), delay in seconds, bytes
-- Returns for each queue '' or the text of the error that kept its messages out.
--
-- Atomic: a message and the token that wakes a worker for it.
-- Sent twice: a message that still waits stays as it is; one that ended meanwhile runs
-- once more, under the same id.
--
-- Messages of one call are half a microsecond apart, so that they keep their order; a
-- call takes longer than that for each, so the next one comes after them.

local now = clock()
local batches, first = {}, {}
for i = 1, #ARGV, 3 do
  local queue, due = tonumber(ARGV[i]), now + tonumber(ARGV[i + 1]) + i * 0.00000017
  local batch = batches[queue] or { 'NX' }
  batches[queue] = batch
  batch[#batch + 1] = string.format('%.7f', due)
  batch[#batch + 1] = ARGV[i + 2]
  first[queue] = math.min(first[queue] or due, due)
end

local function leads(key, due)
  local head = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
  return head[2] and due <= tonumber(head[2])
end

local answers = {}
for queue = 1, #KEYS / 2 do
  local key, tokens = KEYS[2 * queue - 1], KEYS[2 * queue]
  local reply = redis.pcall('ZADD', key, unpack(batches[queue]))
  answers[queue] = ''
  if type(reply) == 'table' and reply.err then
    -- Memory that is full, or a key of the wrong type, is told; after any other error the
    -- call is sent again.
    answers[queue] = string.find(reply.err, 'OOM', 1, true) and reply.err or own_error(reply)
  end
  -- A message that is due wakes somebody whatever stands before it; a delayed one only if
  -- it is the new first, whose time nobody waits for yet.
  if answers[queue] == '' and (first[queue] <= now + 0.001 or leads(key, first[queue])) then
    wake(tokens)
  end
end
return answers
