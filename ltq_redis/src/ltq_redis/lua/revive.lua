-- Put one dead letter's message back into its queue, or forget the letter.
--
-- KEYS  queue, wake, dead
-- ARGV  the letter's bytes, the message's bytes or '' to forget it
-- Returns 1, or 0 if the letter is gone: then nothing was changed.
--
-- Atomic: the letter goes as the message comes.
-- Sent twice: the letter is gone, and the message stays one.

if redis.call('ZREM', KEYS[3], ARGV[1]) == 0 then
  return 0
end
if ARGV[2] ~= '' then
  redis.call('ZADD', KEYS[1], 'NX', precise(clock()), ARGV[2])
  wake(KEYS[2])
end
return 1
