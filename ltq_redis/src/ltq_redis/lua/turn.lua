-- Give back the turn to ask for the next slot: its holder has no room now.
--
-- KEYS  turn, queue, wake
-- ARGV  the worker, as `claim_limited` knows it
--
-- Sent twice: the turn may be another's by then, and is left to it.

if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('DEL', KEYS[1])
  if redis.call('EXISTS', KEYS[2]) == 1 then
    wake(KEYS[3])
  end
end
