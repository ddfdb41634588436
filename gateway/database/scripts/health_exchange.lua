-- Leaves this process's note of the accounts' health, and reads the notes of all others.
-- KEYS[1] the notes by process; KEYS[2] when each was left, in milliseconds of this server's clock
-- ARGV[1] this process; ARGV[2] its note; ARGV[3] the milliseconds after which a silent process is forgotten
-- Returns {process, age in milliseconds, note} of each other process.  A clock that was set back makes no note live for ever.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lifetime = tonumber(ARGV[3])
for _, range in ipairs({{'-inf', now - lifetime}, {now + lifetime, '+inf'}}) do
    for _, process in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], range[1], range[2])) do
        redis.call('HDEL', KEYS[1], process)
        redis.call('ZREM', KEYS[2], process)
    end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], now, ARGV[1])
redis.call('PEXPIRE', KEYS[1], 2 * lifetime)
redis.call('PEXPIRE', KEYS[2], 2 * lifetime)
local others = {}
local seen = redis.call('ZRANGE', KEYS[2], 0, -1, 'WITHSCORES')
for place = 1, #seen, 2 do
    local note = seen[place] ~= ARGV[1] and redis.call('HGET', KEYS[1], seen[place])
    if note then
        others[#others + 1] = {seen[place], math.max(0, now - seen[place + 1]), note}
    end
end
return others
