-- Counts payments, and what became known of some, at each of their entities, and answers with their velocities.
-- KEYS: entities, and claims of payments' order numbers where this server has them; each key once.
-- ARGV: in threes, one event after the other: what happened, packed (calling.py); its entities, two bytes each, the
-- number of the kind and the place of the key, and behind them the place of the claim, where it is here; who is to
-- hold the claim.
-- Returns the numbers of a kind, one entity after the other, whole, -1 for null, of one event after the other.
--
-- plan.py writes what capitals name into their places (BUCKETS, LABEL_DELAY_MS, DUE_BUCKET_MS, PLACE_MS and STRANGERS_MAX
-- among them), since each local that a function captures costs the server an allocation per call.  At the end, it puts
-- what each kind asks for into the loop, in place of KINDS.
--
-- An entity is one string.  First its clock, when it paid last and before that, for how long it is kept and since when
-- that is asked for, and the ids of the payments that were counted last, the newest first.  Then parts in the order in
-- which they are asked for, each a tag (a letter and a number), a size of 2 bytes, and a body, empty where nothing was:
--   s   the ids of what was counted last in another series, the newest first
--   v   the values of a dimension and when each was there last, the newest first
--   l   the last two places, and the id of the payment at the last one
--   p d r c f   a ring, of a series over a window of so many seconds: its current bucket, the sum of those before it that
--       lie within the window, when a rule set last asked for it, and those buckets
--   u   payments whose label falls due, over a window: the sum of those that did within it, when it was asked for, how
--       many buckets that are, and the buckets, with those whose time has not come
-- What lies before a ring's current bucket is kept as a sum, so that its buckets are only looked at as it turns.
local read, pack, sub, byte, find = struct.unpack, struct.pack, string.sub, string.byte, string.find
local floor, ceil, min, max = math.floor, math.ceil, math.min, math.max

local ID_BYTES = 8
local IDS_BYTES = 256
local VALUE_BYTES = 12
local VALUES_BYTES = 768
local HEAD = '>I6I6I6I4I4I2'
local TAG = '>c5I2'
local PLACES = '>c8I6i2i2I6i2i2'
local RING = '>I4I4I7I6I6I4I7I6I6I4'
local TAGGED_RING = '>c5I2I4I4I7I6I6I4I7I6I6I4'
local RING_BYTES = 54
local RING_ASKED = 50
local BUCKET = '>I4I4I7I6I6'
local BUCKET_BYTES = 27
local DUE = '>I4I4I2'
local TAGGED_DUE = '>c5I2I4I4I2'
local DUE_BYTES = 10
local DUE_ASKED = 4
local DUE_BUCKET = '>I4I4'
local DUE_BUCKET_BYTES = 8
local PAYMENTS = 112
local IDS = 115
local VALUES = 118
local PLACE = 108
local DUES = 117
local NOBODY = '\0\0\0\0\0\0'
local NOWHERE = 32767

-- What happened, as it is at hand.
local at, amount, series, is_look, id, latitude, longitude, named, is_payment

-- What the keys hold, what is to be written there, and for how long it is to be kept.
local found, written, lasts_s = redis.call('MGET', unpack(KEYS)), {}, {}

-- The entity that is at hand: its text and how far it was read, what was found out of order, and what is written.
local out = {}
local text, cursor, starts, stops, tags, size
local now, now_s, kept_s, previous, is_new, is_changed

local function scatter()
    starts, stops, tags = {}, {}, {}
    while cursor <= #text do
        local tag, length, start = read(TAG, text, cursor)
        cursor = start + length
        starts[tag], stops[tag], tags[#tags + 1] = start, cursor - 1, tag
    end
end

-- Where the body of a part begins and ends; nil where it is not there.  Most parts stand where they are asked for.
local function part(tag)
    if not starts then
        if cursor <= #text then
            local found, length, start = read(TAG, text, cursor)
            if found == tag then
                cursor = start + length
                return start, cursor - 1
            end
        end
        scatter()
    end
    local start = starts[tag]
    starts[tag] = nil
    if not start then
        is_changed = true
    end
    return start, stops[tag]
end

local function put(tag, body)
    out[size + 1], out[size + 2] = pack(TAG, tag, #body), body
    size = size + 2
end

-- Where, between two places of the text, a record of so many bytes begins with that.
local function record_at(wanted, start, stop, bytes)
    local place = find(text, wanted, start, true)
    while place and place < stop and (place - start) % bytes ~= 0 do
        place = find(text, wanted, place + 1, true)
    end
    return place and place < stop and place or nil
end

local function lowest_and_highest(buckets)
    local low, high = 0, 0
    for place = 1, #buckets, BUCKET_BYTES do
        local _, _, _, least, most = read(BUCKET, buckets, place)
        low, high = (low == 0 or least < low) and least or low, max(high, most)
    end
    return low, high
end

-- The buckets without those that are too old, and what the others add up to.
local function without_old(buckets, oldest, count, sum, low, high)
    local gone, is_bound_gone = 0, false
    while gone < #buckets do
        local number, some, fen, least, most = read(BUCKET, buckets, gone + 1)
        if number >= oldest then
            break
        end
        gone, count, sum = gone + BUCKET_BYTES, count - some, sum - fen
        is_bound_gone = is_bound_gone or least == low or most == high
    end
    if gone == 0 then
        return buckets, count, sum, low, high
    end
    buckets = sub(buckets, gone + 1)
    if is_bound_gone then
        low, high = lowest_and_highest(buckets)
    end
    return buckets, count, sum, low, high
end

-- Turns a ring to now and counts in it where it is of this series; its count, sum, lowest and highest.
local function turn(tag, window_s, start, stop, is_mine, asked)
    local index = floor(now * BUCKETS / (window_s * 1000))
    local bucket, count, sum, low, high, past_count, past_sum, past_low, past_high, before, place = read(RING, text, start)
    local buckets = sub(text, place, stop)
    if bucket < index - BUCKETS then
        buckets, count, sum, low, high, past_count, past_sum, past_low, past_high = '', 0, 0, 0, 0, 0, 0, 0, 0
    elseif bucket < index then
        if count > 0 then
            buckets = buckets .. pack(BUCKET, bucket, count, sum, low, high)
            past_low = (past_count == 0 or low < past_low) and low or past_low
            past_high, past_count, past_sum = max(past_high, high), past_count + count, past_sum + sum
            count, sum, low, high = 0, 0, 0, 0
        end
        buckets, past_count, past_sum, past_low, past_high =
            without_old(buckets, index - BUCKETS, past_count, past_sum, past_low, past_high)
    end
    if is_mine then
        low = (count == 0 or amount < low) and amount or low
        high, count, sum = max(high, amount), count + 1, sum + amount
    end
    out[size + 1] = pack(TAGGED_RING, tag, RING_BYTES + #buckets, index, count, sum, low, high, past_count, past_sum,
        past_low, past_high, asked or before)
    out[size + 2] = buckets
    size = size + 2
    if past_count == 0 then
        return count, sum, low, high
    elseif count > 0 then
        past_low = min(low, past_low)
    end
    return past_count + count, past_sum + sum, past_low, max(past_high, high)
end

local function ring(tag, letter, window_s)
    local start, stop = part(tag)
    if start and stop > start then
        return turn(tag, window_s, start, stop, letter == series and is_new, now_s)
    elseif letter == series then
        local index = floor(now * BUCKETS / (window_s * 1000))
        size = size + 1
        out[size] = pack(TAGGED_RING, tag, RING_BYTES, index, 1, amount, amount, amount, 0, 0, 0, 0, now_s)
        return 1, amount, amount, amount
    end
    put(tag, '')
    return 0, 0, 0, 0
end

local function due_bucket_ms(window_s)
    return max(window_s * 1000 / BUCKETS, DUE_BUCKET_MS)
end

local function with_one_more(buckets, index)
    local place = #buckets - DUE_BUCKET_BYTES + 1
    if place > 0 then
        local number, count = read(DUE_BUCKET, buckets, place)
        if number == index then
            return sub(buckets, 1, place - 1) .. pack(DUE_BUCKET, index, count + 1)
        end
    end
    return buckets .. pack(DUE_BUCKET, index, 1)
end

-- Payments until their labels are due and through the window, with this one where it counts; how many are due.
local function fall_due(tag, window_s, start, stop, is_mine, asked)
    local bucket_ms = due_bucket_ms(window_s)
    local newest = floor((now - LABEL_DELAY_MS) / bucket_ms)
    local oldest = newest - ceil(window_s * 1000 / bucket_ms)
    local total, before, within, buckets = 0, 0, 0, ''
    if start then
        local place
        total, before, within, place = read(DUE, text, start)
        buckets = sub(text, place, stop)
    end
    if is_mine then
        buckets = with_one_more(buckets, floor(now / bucket_ms))
    end
    while within * DUE_BUCKET_BYTES < #buckets do
        local number, count = read(DUE_BUCKET, buckets, within * DUE_BUCKET_BYTES + 1)
        if number > newest then
            break
        end
        within, total = within + 1, total + count
    end
    local gone = 0
    while gone < within do
        local number, count = read(DUE_BUCKET, buckets, gone * DUE_BUCKET_BYTES + 1)
        if number >= oldest then
            break
        end
        gone, total = gone + 1, total - count
    end
    buckets = gone > 0 and sub(buckets, gone * DUE_BUCKET_BYTES + 1) or buckets
    out[size + 1] = pack(TAGGED_DUE, tag, DUE_BYTES + #buckets, total, asked or before, within - gone)
    out[size + 2] = buckets
    size = size + 2
    return total
end

local function dues(tag, window_s)
    local start, stop = part(tag)
    if is_payment then
        return fall_due(tag, window_s, start and stop > start and start, stop, is_new or not start, now_s)
    end
    put(tag, start and sub(text, start, stop) or '')
    return 0
end

-- Where the records of a dimension stand in the text, the text's end without any; and when this payment's value was there
-- (nil: it was not, false: it does not count).
local values_start, values_stop, was_there

-- Puts this payment's value in front of those of its dimension.
local function values(tag, dimension)
    local start, stop = part(tag)
    local value = named[dimension]
    values_start, values_stop, was_there = start or 1, stop or 0, false
    if not is_payment or value == NOBODY or (start and not is_new) then
        return put(tag, start and sub(text, start, stop) or '')
    end
    local place = start and record_at(value, start, stop, VALUE_BYTES)
    was_there = place and read('>I6', text, place + 6)
    local length = values_stop - values_start + 1
    if place then
        out[size + 2] = sub(text, start, place - 1)
        out[size + 3] = sub(text, place + VALUE_BYTES, stop)
    else
        length = min(length, VALUES_BYTES - VALUE_BYTES) + VALUE_BYTES
        out[size + 2] = start and sub(text, start, start + length - VALUE_BYTES - 1) or ''
        out[size + 3] = ''
    end
    out[size + 1] = pack('>c5I2c6I6', tag, length, value, now)
    size = size + 3
end

-- How many values were there within the window.
local function distinct(window_s)
    local time = now - window_s * 1000
    local low, high = 0, (values_stop - values_start + 1) / VALUE_BYTES
    while low < high do
        local middle = floor((low + high) / 2)
        if read('>I6', text, values_start + middle * VALUE_BYTES + 6) > time then
            low = middle + 1
        else
            high = middle
        end
    end
    if was_there == false or (was_there and was_there > time) then
        return low
    end
    return min(low + 1, VALUES_BYTES / VALUE_BYTES)
end

-- The place before this payment's: how many ms ago (-1: none within reach), latitude and longitude.
local function places(tag)
    local start, stop = part(tag)
    local latest, when, north, east, when_before, north_before, east_before = '', 0, 0, 0, 0, 0, 0
    local body = ''
    if start and stop > start then
        body = sub(text, start, stop)
        latest, when, north, east, when_before, north_before, east_before = read(PLACES, body)
    end
    if latest == id then
        when, north, east = when_before, north_before, east_before
    elseif is_payment and is_new and latitude ~= NOWHERE then
        body = pack(PLACES, id, now, latitude, longitude, when, north, east)
    end
    put(tag, body)
    local elapsed_ms = now - when
    return elapsed_ms < PLACE_MS and elapsed_ms or -1, north, east
end

local function since(window_s)
    local elapsed_ms = now - previous
    return elapsed_ms < window_s * 1000 and floor(elapsed_ms / 1000) or -1
end

-- The ids of another series.
local function ids(tag, letter)
    local start, stop = part(tag)
    local records = start and sub(text, start, stop) or ''
    if letter == series then
        is_new = not (start and record_at(id, start, stop, ID_BYTES))
        if is_new then
            records = id .. sub(records, 1, IDS_BYTES - ID_BYTES)
        end
    end
    put(tag, records)
end

-- Whether nobody has asked for a part for so long that whoever did would find it empty.
local function is_stale(letter, number, start, stop)
    if stop < start then
        return true
    elseif letter == DUES then
        local reach_s = number + (LABEL_DELAY_MS + 2 * due_bucket_ms(number)) / 1000
        return read('>I4', text, start + DUE_ASKED) + reach_s < now_s
    elseif letter == VALUES then
        return read('>I6', text, start + 6) + kept_s * 1000 < now
    elseif letter == PLACE then
        return read('>I6', text, start + ID_BYTES) + PLACE_MS < now
    elseif letter == IDS then
        return false
    end
    return read('>I4', text, start + RING_ASKED) + number * (BUCKETS + 1) / BUCKETS < now_s
end

-- What only other rule sets ask for goes on being counted, behind the rest, the longest unasked last.
local function strangers()
    if not starts then
        if cursor > #text then
            return
        end
        scatter()
    end
    local some = 0
    for _, tag in ipairs(tags) do
        local start, stop = starts[tag], stops[tag]
        local letter, number = read('>BI4', tag)
        if start and some < STRANGERS_MAX and not is_stale(letter, number, start, stop) then
            some = some + 1
            if letter == DUES and is_payment then
                fall_due(tag, number, start, stop, is_new)
            elseif letter == series then
                turn(tag, number, start, stop, is_new)
            else
                put(tag, sub(text, start, stop))
            end
        end
    end
end

-- Opens the entity of a key that is to be kept for so long.
local function open(place_of_key, reach_s)
    text, cursor, starts, size, is_changed = written[place_of_key] or found[place_of_key] or '', 1, nil, 3, false
    local clock, last, before, kept_since, length, place = 0, 0, 0, 0, 0, nil
    kept_s = 0
    if #text > 0 then
        clock, last, before, kept_s, kept_since, length, cursor = read(HEAD, text)
    end
    now = max(at, clock)
    now_s = floor(now / 1000)
    if reach_s >= kept_s or kept_since + kept_s < now_s then
        kept_s, kept_since = reach_s, now_s
    end
    previous = last
    out[2] = ''
    local kept = length
    if is_payment then
        place = record_at(id, cursor, cursor + length - 1, ID_BYTES)
        is_new = not place
        if is_new then
            last, before, kept = now, last, min(length, IDS_BYTES - ID_BYTES)
            out[2] = id
        elseif place == cursor then
            previous = before
        end
    end
    out[3] = sub(text, cursor, cursor + kept - 1)
    out[1] = pack(HEAD, now, last, before, kept_s, kept_since, #out[2] + kept)
    cursor = cursor + length
end

local function close(place)
    strangers()
    if is_look == 0 and (is_new or is_changed) then
        written[place], lasts_s[place] = table.concat(out, '', 1, size), kept_s
    end
end

local answers, filled = {}, 0
for number = 1, #ARGV, 3 do
    local entities, holder = ARGV[number + 1], ARGV[number + 2]
    local customer, device, merchant, terminal, card, ip
    at, amount, series, is_look, id, latitude, longitude, customer, device, merchant, terminal, card, ip =
        read('>I8I8BBc8i2i2c6c6c6c6c6c6', ARGV[number])
    named = {customer, device, merchant, terminal, card, ip}
    is_payment = series == PAYMENTS
    -- Whoever does not hold the claim sends again what another request has counted: it looks.
    local claim = #entities % 2 == 1 and found[byte(entities, -1)]
    if claim and claim ~= holder then
        is_look = 1
    end
    for entity = 1, #entities - 1, 2 do
        local kind, place = byte(entities, entity, entity + 1)
        local count, sum, low, high
        KINDS
        close(place)
    end
end

for place = 1, #KEYS do
    local key, record = KEYS[place], written[place]
    if record and found[place] then
        redis.call('SET', key, record, 'EX', lasts_s[place])
    elseif record and not redis.call('SET', key, record, 'EX', lasts_s[place], 'NX') then
        return redis.error_reply('WRONGTYPE ' .. key .. ' holds something else')
    end
end
return answers
