-- What slices of one lane have left; they live on for another while.
-- KEYS the slices; ARGV[1] the seconds that they live.
-- Returns for each: fen left, number left (empty: not limited), reservations that are open; or false where it is not here.
local found = {}
for number, slice in ipairs(KEYS) do
    local fields = redis.call('HMGET', slice, 'about', 'left', 'count')
    if fields[1] then
        redis.call('EXPIRE', slice, ARGV[1])
        local fixed = 1 + (fields[2] and 1 or 0) + (fields[3] and 1 or 0)
        found[number] = {fields[2] or '', fields[3] or '', redis.call('HLEN', slice) - fixed}
    else
        found[number] = false
    end
end
return found
