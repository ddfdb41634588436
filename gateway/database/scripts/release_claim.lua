-- Frees an order number, if it is still held by the payment that claimed it.
-- KEYS[1] the claim; ARGV[1] the payment id.  Returns 1 where it was freed.
if redis.call('GET', KEYS[1]) == ARGV[1] then
    return redis.call('DEL', KEYS[1])
end
return 0
