-- Puts a slice right by what PostgreSQL said of it and of its reservations.
-- KEYS[1] the slice; ARGV[1], ARGV[2] fen and number left when the reservations were read (empty: not limited);
-- ARGV[3], ARGV[4] fen and number that are to be left; then in threes: a reservation's order, its value, and what it is:
--   held     a payment holds it: PostgreSQL has counted it
--   expired  no intent came of it in time
--   open     its payment is under way
-- What is left is set only where nothing else happened since (returns 1); else what expired is released (returns 0).
local AT_ONCE_MAX = 4000 -- Lua passes no more than some 8,000 values
local slice = KEYS[1]
local found = redis.call('HMGET', slice, 'about', 'left', 'count')
if not found[1] then
    return 0
end
local is_quiet = (found[2] or '') == ARGV[1] and (found[3] or '') == ARGV[2]
local gone, fen, number, known = {}, 0, 0, 1 + (found[2] and 1 or 0) + (found[3] and 1 or 0)
for place = 5, #ARGV, 3 do
    local field, value, is = 'o' .. ARGV[place], ARGV[place + 1], ARGV[place + 2]
    if redis.call('HGET', slice, field) == value then
        known = known + 1
        if is ~= 'open' then
            gone[#gone + 1] = field
        end
        if is == 'expired' then
            fen, number = fen + string.match(value, '^(%d+):'), number + 1
        end
    elseif is ~= 'held' then
        is_quiet = false
    end
end
is_quiet = is_quiet and redis.call('HLEN', slice) == known
local left = is_quiet and tonumber(ARGV[3]) or found[2] and found[2] + fen or nil
local count = is_quiet and tonumber(ARGV[4]) or found[3] and found[3] + number or nil
local changes = {'HSET', slice}
for name, amount in pairs({left = left, count = count}) do
    changes[#changes + 1] = name
    changes[#changes + 1] = string.format('%.0f', amount)
end
if #changes > 2 then
    redis.call(unpack(changes))
end
for first = 1, #gone, AT_ONCE_MAX do
    redis.call('HDEL', slice, unpack(gone, first, math.min(first + AT_ONCE_MAX - 1, #gone)))
end
return is_quiet and 1 or 0
