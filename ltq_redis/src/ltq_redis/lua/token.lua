-- Hand on a token that this worker cannot use now.
--
-- KEYS  for each queue: queue, suspects, wake
--
-- Sent twice: a token that stands is enough.

for i = 1, #KEYS, 3 do
  if redis.call('EXISTS', KEYS[i], KEYS[i + 1]) > 0 then
    wake(KEYS[i + 2])
  end
end
