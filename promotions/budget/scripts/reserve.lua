-- Reserves from one slice for any number of orders: all of them decided on what one read found, written at once.
-- KEYS[1] the slice; KEYS[2] the heartbeat of its lane; ARGV[1] the generation now; then for each order: its key, the
-- owner (a payment id), the fen.
-- Returns the heartbeat and, for each order, the fen that are reserved (before, for whoever came first with that order),
-- or -1 where too little is left.  Only the heartbeat where the slice is not here.
local slice, beat = KEYS[1], redis.call('GET', KEYS[2])
local fields = {'about', 'left', 'count'}
for place = 2, #ARGV, 3 do
    fields[#fields + 1] = 'o' .. ARGV[place]
end
local found = redis.call('HMGET', slice, unpack(fields))
if not found[1] then
    return {beat}
end
local left, count = tonumber(found[2]), tonumber(found[3])
local answer, changes, taken = {beat}, {'HSET', slice}, {}
for number = 4, #fields do
    local place = 3 * number - 10
    local field, owner, fen = fields[number], ARGV[place + 1], tonumber(ARGV[place + 2])
    local before, by, more = taken[field] or found[number], nil, fen
    if before then
        local reserved
        reserved, by = string.match(before, '^(%d+):%d+:(.*)$')
        more = fen - reserved
    end
    if before and (by ~= owner or more == 0) then
        answer[#answer + 1] = fen - more
    elseif (left and left < more) or (not before and count and count < 1) then
        answer[#answer + 1] = -1
    else
        left = left and left - more
        count = count and (before and count or count - 1)
        taken[field] = string.format('%.0f', fen) .. ':' .. ARGV[1] .. ':' .. owner
        changes[#changes + 1] = field
        changes[#changes + 1] = taken[field]
        answer[#answer + 1] = fen
    end
end
if #changes > 2 then
    if left then
        changes[#changes + 1] = 'left'
        changes[#changes + 1] = string.format('%.0f', left)
    end
    if count then
        changes[#changes + 1] = 'count'
        changes[#changes + 1] = string.format('%.0f', count)
    end
    redis.call(unpack(changes))
end
return answer
