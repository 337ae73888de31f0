-- Put one dead letter's message back into its queue, or forget the letter.
--
-- KEYS  queue, wake, dead, letters
-- ARGV  the letter's id and bytes, the message's bytes or '' to forget it
-- Returns 1, or 0 if the letter is gone or is another one: then nothing was changed.
--
-- Atomic: the letter goes as the message comes.
-- Sent twice: the letter is gone, and the message stays one.

if redis.call('HGET', KEYS[4], ARGV[1]) ~= ARGV[2] then
  return 0
end
forget(KEYS[3], KEYS[4], { ARGV[1] })
if ARGV[3] ~= '' then
  redis.call('ZADD', KEYS[1], 'NX', precise(clock()), ARGV[3])
  wake(KEYS[2])
end
return 1
