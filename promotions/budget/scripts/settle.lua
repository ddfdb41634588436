-- What became of reservations of one slice, and corrections of it, in the order told.
-- KEYS[1] the slice; ARGV in fours: what, a, b, -
--   confirm ORDER OWNER       held by a payment: PostgreSQL counts it as used now
--   release ORDER OWNER       nothing came of it: what was reserved is left again
--   give_back FEN COUNT       an outcome or a refund gave it back
--   correct FEN COUNT         PostgreSQL knows of no more than this (COUNT may be empty: not limited)
-- A reservation of another owner is not touched.  Does nothing where the slice is not here.
local slice = KEYS[1]
local fields = {'about', 'left', 'count'}
for place = 1, #ARGV, 4 do
    fields[#fields + 1] = 'o' .. ARGV[place + 1]
end
local found = redis.call('HMGET', slice, unpack(fields))
if not found[1] then
    return 0
end
local left, count, gone, dropped = tonumber(found[2]), tonumber(found[3]), {'HDEL', slice}, {}
local before, number_before = left, count
for place = 1, #ARGV, 4 do
    local what, a, b = ARGV[place], ARGV[place + 1], ARGV[place + 2]
    if what == 'confirm' or what == 'release' then
        local number = (place + 3) / 4 + 3
        local field = fields[number]
        local fen, owner = string.match(not dropped[field] and found[number] or '', '^(%d+):%d+:(.*)$')
        if owner == b then
            dropped[field] = true
            gone[#gone + 1] = field
            if what == 'release' then
                left = left and left + fen
                count = count and count + 1
            end
        end
    elseif what == 'give_back' then
        left = left and left + a
        count = count and count + b
    else
        left = left and math.min(left, tonumber(a))
        count = count and math.min(count, tonumber(b) or count)
    end
end
local changes = {'HSET', slice}
if left ~= before then
    changes[#changes + 1] = 'left'
    changes[#changes + 1] = string.format('%.0f', left)
end
if count ~= number_before then
    changes[#changes + 1] = 'count'
    changes[#changes + 1] = string.format('%.0f', count)
end
if #changes > 2 then
    redis.call(unpack(changes)) -- first: where memory is short, this is refused and nothing else is done either
end
if #gone > 2 then
    redis.call(unpack(gone))
end
return 1
