-- Puts slices of one lane here as PostgreSQL has them; those that are here already stay as they are.
-- KEYS the slices; ARGV[1] the seconds that they live; then for each: fen left, number left (empty: not limited).
-- Returns how many were not here.
-- The field `about` also makes the hash a table: a small hash is a list that every look-up would walk through.
local about = string.rep('a slice of a campaign\'s budget; ', 3)
local loaded = 0
for number, slice in ipairs(KEYS) do
    if redis.call('EXISTS', slice) == 0 then
        local fields = {'HSET', slice, 'about', about}
        for place, field in ipairs({'left', 'count'}) do
            local amount = ARGV[2 * number + place - 1]
            if amount ~= '' then
                fields[#fields + 1] = field
                fields[#fields + 1] = amount
            end
        end
        redis.call(unpack(fields))
        loaded = loaded + 1
    end
    redis.call('EXPIRE', slice, ARGV[1])
end
return loaded
