-- Counts one more call in a fixed window.
-- KEYS[1] the counter of this window; ARGV[1] its length in milliseconds.  Returns the count and the milliseconds left.
local count = redis.call('INCR', KEYS[1])
if count == 1 then
    redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return {count, redis.call('PTTL', KEYS[1])}
