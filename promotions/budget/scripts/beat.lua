-- Raises a lane's heartbeat, unless the lane shows that this server lost or brought back something.
-- KEYS[1] the heartbeat; ARGV[1] the generation; ARGV[2] the epoch; ARGV[3] how many generations it may be behind;
-- ARGV[4] 1 where there may be none yet.
-- Returns what was there (false: nothing) and this server's run id.  A late call never lowers a heartbeat.
local run_id = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
local before = redis.call('GET', KEYS[1])
local generation, server, epoch = string.match(before or '', '^(%d+):(%w+):(%d+)$')
local raised, ours = tonumber(ARGV[1]), tonumber(ARGV[2])
local is_well
if generation then
    generation, epoch = tonumber(generation), tonumber(epoch)
    is_well = epoch < ours
        or (epoch == ours and server == run_id and generation < raised and generation >= raised - ARGV[3])
else
    is_well = ARGV[4] == '1'
end
if is_well then
    redis.call('SET', KEYS[1], ARGV[1] .. ':' .. run_id .. ':' .. ARGV[2])
end
return {before, run_id}
