-- What became of reservations of one slice, and corrections of it, in the order told.
-- KEYS[1] the slice; ARGV in fours: what, a, b, c
--   confirm ORDER OWNER -     held by a payment: PostgreSQL counts it as used now
--   release ORDER OWNER -     nothing came of it: what was reserved is left again
--   give_back FEN COUNT -     an outcome or a refund gave it back
--   correct FEN COUNT -       PostgreSQL knows of no more than this (COUNT may be empty: not limited)
-- A reservation of another owner is not touched.  Does nothing where the slice is not here.
local slice = KEYS[1]
local found = redis.call('HMGET', slice, 'about', 'left', 'count')
if not found[1] then
    return 0
end
local left, count, gone = tonumber(found[2]), tonumber(found[3]), {'HDEL', slice}
local dropped = {}
local function drop(order, owner)
    local field = 'o' .. order
    local fen, by = string.match(not dropped[field] and redis.call('HGET', slice, field) or '', '^(%d+):%d+:(.*)$')
    if by ~= owner then
        return nil
    end
    dropped[field] = true
    gone[#gone + 1] = field
    return fen
end
for place = 1, #ARGV, 4 do
    local what, a, b = ARGV[place], ARGV[place + 1], ARGV[place + 2]
    if what == 'confirm' then
        drop(a, b)
    elseif what == 'release' then
        local fen = drop(a, b)
        left = left and left + (fen or 0)
        count = count and count + (fen and 1 or 0)
    elseif what == 'give_back' then
        left = left and left + a
        count = count and count + b
    else
        left = left and math.min(left, tonumber(a))
        count = count and math.min(count, tonumber(b) or count)
    end
end
local changes = {'HSET', slice}
for field, amount in pairs({left = left, count = count}) do
    changes[#changes + 1] = field
    changes[#changes + 1] = string.format('%.0f', amount)
end
if #changes > 2 then
    redis.call(unpack(changes)) -- first: where memory is short, this is refused and nothing else is done either
end
if #gone > 2 then
    redis.call(unpack(gone))
end
return 1
