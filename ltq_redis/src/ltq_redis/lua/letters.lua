-- Shared by the scripts that know dead letters.
--
-- dead      sorted set: message id -> time of death
-- letters   hash: message id -> letter

local function forget(dead, letters, ids)
  for i = 1, #ids, CHUNK do
    local last = math.min(i + CHUNK - 1, #ids)
    redis.call('ZREM', dead, unpack(ids, i, last))
    redis.call('HDEL', letters, unpack(ids, i, last))
  end
end
