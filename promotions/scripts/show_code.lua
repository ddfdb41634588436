-- Puts a code on a shelf, unless the shelf has as many as it holds; codes that are past their end make room.
-- KEYS[1] the shelf: payment ids by the moment (Unix seconds) at which their code ends
-- ARGV: payment id, seconds that the code is shown, most codes on the shelf
-- Returns 1 where the code stands there (now, or already), else 0.
local now = tonumber(redis.call('TIME')[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZSCORE', KEYS[1], ARGV[1]) then
    return 1
end
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3]) then
    return 0
end
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[1])
redis.call('EXPIRE', KEYS[1], 7200, 'NX')
redis.call('EXPIRE', KEYS[1], 7200, 'GT')
return 1
