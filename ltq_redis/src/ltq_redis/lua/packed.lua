-- Shared by the scripts that return messages.

-- Messages for a reply: each followed by its score, just as Redis lists them.
local function packed()
  return { rows = {}, crashes = {}, waits = {} }
end

local function pack(into, raw, score, crashes, wait)
  local rows = into.rows
  local n = #rows / 2 + 1
  rows[2 * n - 1], rows[2 * n] = raw, score
  into.crashes[n], into.waits[n] = crashes, tostring(wait)
  into.special = into.special or crashes > 0 or wait > 0
end

-- Pack a whole list; none of its messages ever crashed where `deliveries` is nil.
local function pack_rows(into, rows, deliveries)
  if not deliveries and #into.rows == 0 then
    into.rows = rows
    return
  end
  for i = 1, #rows, 2 do
    pack(into, rows[i], rows[i + 1], deliveries and crashes_of(deliveries, rows[i]) or 0, 0)
  end
end

-- What is packed, as the first three values of a reply: messages and scores; then for each
-- message its crashes, and the seconds until its reserved slot. Where all of these are zero
-- both are left out.
local function unpacked(from, answer)
  answer[1], answer[2], answer[3] = from.rows, {}, {}
  if from.special then
    for n = 1, #from.rows / 2 do
      answer[2][n], answer[3][n] = from.crashes[n] or 0, from.waits[n] or '0'
    end
  end
  return answer
end

-- What W leased already, in case a claim is sent again; packs it.
local function leased(into, workers, processing, deliveries, W)
  if not redis.call('ZSCORE', workers, W) then
    return 0
  end
  local rows = redis.call('ZRANGE', processing, 0, -1, 'WITHSCORES')
  pack_rows(into, rows, deliveries)
  return #rows / 2
end
