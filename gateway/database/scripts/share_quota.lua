-- Tells which part of a merchant's quota is this process's: as much as it sees of the merchant's traffic.
-- KEYS[1] the traffic by process, as 'weight:expires'; ARGV[1] this process; ARGV[2] its weight; ARGV[3] the
-- milliseconds after which a silent process is forgotten
-- Returns the sum of all weights as text, and how many processes there are.  A clock that was set back keeps nobody.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lifetime = tonumber(ARGV[3])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ':' .. string.format('%d', now + lifetime))
redis.call('PEXPIRE', KEYS[1], lifetime)
local total, processes = 0, 0
local entries = redis.call('HGETALL', KEYS[1])
for place = 1, #entries, 2 do
    local weight, expires = string.match(entries[place + 1], '^(.+):(%d+)$')
    local left = tonumber(expires) - now
    if left > 0 and left <= lifetime then
        total = total + tonumber(weight)
        processes = processes + 1
    else
        redis.call('HDEL', KEYS[1], entries[place])
    end
end
return {tostring(total), processes}
