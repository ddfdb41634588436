-- Counts a payment, or what became known of one, at each of its entities, and answers with their velocities.
-- KEYS: the entities; ARGV[1]: what happened, packed (reading.py); ARGV[2]: the number of each entity's kind, a byte each.
-- Returns what the kinds' calls ask for, one after the other, in whole numbers; -1 for null.
--
-- plan.py puts before it, for a rule set: BUCKETS, LABEL_DELAY_MS, DUE_BUCKET_MS, PLACE_MS, STRANGERS_MAX, and
-- plan_of(kind): for how many s an entity of that kind is kept, the tags asked for, and the calls, three entries each.
--
-- An entity is one string of parts, each a tag (a letter and a number), a size of 2 bytes and a body:
--   h   the entity's clock, when it paid last and before that, for how long it is kept, and since when that is asked for
--   s   the ids of what was counted last in a series, the newest first
--   v   the values of a dimension and when each was there last, the newest first
--   l   the last two places, and the id of the payment at the last one
--   p d r c f   a ring, of a series over a window of so many seconds: its current bucket, the sum of those before it that
--       lie within the window, when a rule set last asked for it, and those buckets
--   u   payments whose label falls due, over a window: the sum of those that did within it, when it was asked for, how
--       many buckets that are, and the buckets, with those whose time has not come
-- What lies before a ring's current bucket is kept as a sum, so that its buckets are only looked at as it turns.
local read, pack, sub, byte, find = struct.unpack, struct.pack, string.sub, string.byte, string.find
local floor, ceil, min, max = math.floor, math.ceil, math.min, math.max

local ID_BYTES, IDS_MAX, VALUE_BYTES, VALUES_MAX = 8, 32, 12, 64
local HEAD, PLACES, TAG = '>I6I6I6I4I6', '>c8I6i2i2I6i2i2', '>c5I2'
local RING, RING_ASKED, BUCKET, BUCKET_BYTES = '>I4I4I7I6I6I4I7I6I6I4', 51, '>I4I4I7I6I6', 27
local DUE, DUE_ASKED, DUE_BUCKET, DUE_BUCKET_BYTES = '>I4I4I2', 5, '>I4I4', 8
local PAYMENTS, DUES, VALUES, PLACE, IDS, HEAD_LETTER = byte('puvlsh', 1, 6)
local HEAD_TAG = 'h\0\0\0\0'
local NOBODY, NOWHERE = '\0\0\0\0\0\0', 32767
local COUNT, SUM, LOWEST, HIGHEST, MEAN, SINCE, DISTINCT, SHARE, TRAVEL = 1, 2, 3, 4, 5, 6, 7, 8, 9

local at, amount, series, is_look, id, latitude, longitude, customer, device, merchant, terminal, card, ip =
    read('>I8I8BBc8i2i2c6c6c6c6c6c6', ARGV[1])
local named = {customer, device, merchant, terminal, card, ip}
local is_payment = series == PAYMENTS
local IDS_TAG = 's\0\0\0' .. string.char(series)

-- Where a record of so many bytes begins with that.
local function record_at(records, wanted, bytes)
    local place = find(records, wanted, 1, true)
    while place and (place - 1) % bytes ~= 0 do
        place = find(records, wanted, place + 1, true)
    end
    return place
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

-- The ring as it is now, with an amount counted (nil: with none); its count, sum, lowest and highest.
local function ring_of(body, window_s, now, more, asked)
    local index = floor(now * BUCKETS / (window_s * 1000))
    if not body then
        return pack(RING, index, 1, more, more, more, 0, 0, 0, 0, asked), 1, more, more, more
    end
    local bucket, count, sum, low, high, past_count, past_sum, past_low, past_high, before, place = read(RING, body)
    local buckets = sub(body, place)
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
    if more then
        low = (count == 0 or more < low) and more or low
        high, count, sum = max(high, more), count + 1, sum + more
    end
    body = pack(RING, index, count, sum, low, high, past_count, past_sum, past_low, past_high, asked or before) .. buckets
    if count == 0 then
        return body, past_count, past_sum, past_low, past_high
    elseif past_count > 0 then
        low = min(low, past_low)
    end
    return body, past_count + count, past_sum + sum, low, max(past_high, high)
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

-- Payments until their labels are due and through the window, as they are now, one more if new; how many are due.
local function dues_of(body, window_s, now, is_new, asked)
    local bucket_ms = due_bucket_ms(window_s)
    local newest = floor((now - LABEL_DELAY_MS) / bucket_ms)
    local oldest = newest - ceil(window_s * 1000 / bucket_ms)
    local total, before, within, buckets = 0, 0, 0, ''
    if body then
        local place
        total, before, within, place = read(DUE, body)
        buckets = sub(body, place)
    end
    if is_new then
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
    return pack(DUE, total, asked or before, within - gone) .. sub(buckets, gone * DUE_BUCKET_BYTES + 1), total
end

local function with_value(records, value, now)
    local place = record_at(records, value, VALUE_BYTES)
    if place then
        records = sub(records, 1, place - 1) .. sub(records, place + VALUE_BYTES)
    else
        records = sub(records, 1, (VALUES_MAX - 1) * VALUE_BYTES)
    end
    return pack('>c6I6', value, now) .. records
end

-- How many values were there after that time; they stand in the order of time, the newest first.
local function values_after(records, time)
    local low, high = 0, #records / VALUE_BYTES
    while low < high do
        local middle = floor((low + high) / 2)
        if read('>I6', records, middle * VALUE_BYTES + 7) > time then
            low = middle + 1
        else
            high = middle
        end
    end
    return low
end

-- Also remembers where the payment before this one was made.
local function with_place(entity, body)
    local latest, when, north, east, when_before, north_before, east_before = '', 0, 0, 0, 0, 0, 0
    if body then
        latest, when, north, east, when_before, north_before, east_before = read(PLACES, body)
    end
    if latest == id then
        entity.when, entity.north, entity.east = when_before, north_before, east_before
    else
        entity.when, entity.north, entity.east = when, north, east
        if entity.is_new and latitude ~= NOWHERE then
            body = pack(PLACES, id, entity.now, latitude, longitude, when, north, east)
        end
    end
    return body
end

-- A part of the entity with what happened; nil where it is not there and need not be.
local function part_of(entity, tag, body, is_asked)
    local letter, number = read('>BI4', tag)
    local is_new, asked = entity.is_new or not body, is_asked and entity.now_s
    if letter == DUES or letter == VALUES or letter == PLACE then
        if not is_payment then
            return body
        elseif letter == PLACE then
            return is_asked and with_place(entity, body) or body
        elseif letter == DUES then
            body, entity.counts[tag] = dues_of(body, number, entity.now, is_new, asked)
        elseif is_new and named[number + 1] ~= NOBODY then
            body = with_value(body or '', named[number + 1], entity.now)
        end
    elseif letter == series or (is_payment and is_asked and body) then
        local more = letter == series and is_new and amount or nil
        body, entity.counts[tag], entity.sums[tag], entity.lows[tag], entity.highs[tag] =
            ring_of(body, number, entity.now, more, asked)
    end
    return body
end

-- Whether nobody has asked for so long that whoever did would find it empty.
local function is_stale(entity, tag, body)
    local letter, window_s = read('>BI4', tag)
    if letter == VALUES then
        return read('>I6', body, 7) + entity.kept_s * 1000 < entity.now
    elseif letter == PLACE then
        return read('>I6', body, ID_BYTES + 1) + PLACE_MS < entity.now
    elseif letter == DUES then
        local reach_s = window_s + (LABEL_DELAY_MS + 2 * due_bucket_ms(window_s)) / 1000
        return read('>I4', body, DUE_ASKED) + reach_s < entity.now_s
    end
    return read('>I4', body, RING_ASKED) + window_s * (BUCKETS + 1) / BUCKETS < entity.now_s
end

local function entity_of(key)
    local entity = {parts = {}, order = {}, counts = {}, sums = {}, lows = {}, highs = {}}
    local parts, order, text, place = entity.parts, entity.order, redis.call('GET', key) or '', 1
    while place <= #text do
        local tag, size, start = read(TAG, text, place)
        place = start + size
        parts[tag] = sub(text, start, place - 1)
        order[#order + 1] = tag
    end
    return entity
end

local function open(entity, reach_s)
    local clock, last, before, kept_s, kept_since = 0, 0, 0, 0, 0
    if entity.parts[HEAD_TAG] then
        clock, last, before, kept_s, kept_since = read(HEAD, entity.parts[HEAD_TAG])
    else
        entity.order[1] = HEAD_TAG
    end
    local now = max(at, clock)
    local now_s = floor(now / 1000)
    local ids = entity.parts[IDS_TAG]
    if not ids then
        ids, entity.order[#entity.order + 1] = '', IDS_TAG
    end
    local place = record_at(ids, id, ID_BYTES)
    entity.previous = place == 1 and before or last
    if reach_s >= kept_s or kept_since + kept_s < now_s then
        kept_s, kept_since = reach_s, now_s
    end
    if not place then
        entity.parts[IDS_TAG] = id .. sub(ids, 1, (IDS_MAX - 1) * ID_BYTES)
        if is_payment then
            last, before = now, last
        end
    end
    entity.parts[HEAD_TAG] = pack(HEAD, now, last, before, kept_s, kept_since)
    entity.now, entity.now_s, entity.kept_s, entity.is_new = now, now_s, kept_s, not place
end

local function put(written, tag, body)
    written[#written + 1] = pack(TAG, tag, #body)
    written[#written + 1] = body
end

-- What is asked for stands first, then what only other rule sets ask for, the longest unasked last.
local function counted(entity, tags)
    local parts, written, is_asked, strangers = entity.parts, {}, {}, 0
    for _, tag in ipairs(tags) do
        local body = part_of(entity, tag, parts[tag], true)
        entity.is_changed = entity.is_changed or (body and not parts[tag])
        parts[tag], is_asked[tag] = body, true
        if body then
            put(written, tag, body)
        end
    end
    for _, tag in ipairs(entity.order) do
        local letter = byte(tag)
        if letter == HEAD_LETTER or letter == IDS then
            put(written, tag, parts[tag])
        elseif not is_asked[tag] and strangers < STRANGERS_MAX and not is_stale(entity, tag, parts[tag]) then
            strangers = strangers + 1
            put(written, tag, part_of(entity, tag, parts[tag], false))
        end
    end
    return table.concat(written)
end

local function seconds_since_last(entity, window_s)
    local elapsed_ms = entity.now - entity.previous
    return elapsed_ms < window_s * 1000 and floor(elapsed_ms / 1000) or -1
end

local function put_share(entity, answers, frauds, dues)
    answers[#answers + 1] = entity.counts[frauds] or 0
    answers[#answers + 1] = entity.counts[dues] or 0
end

local function put_travel(entity, answers)
    local elapsed_ms = entity.now - entity.when
    answers[#answers + 1] = elapsed_ms < PLACE_MS and elapsed_ms or -1
    answers[#answers + 1] = entity.north
    answers[#answers + 1] = entity.east
end

local function answer_of(entity, call, tag, window_s)
    local some = entity.counts[tag] or 0
    if call == COUNT then
        return some
    elseif call == SUM then
        return entity.sums[tag] or 0
    elseif call == DISTINCT then
        return values_after(entity.parts[tag] or '', entity.now - window_s * 1000)
    elseif call == SINCE then
        return seconds_since_last(entity, window_s)
    elseif some == 0 then
        return -1
    elseif call == LOWEST then
        return entity.lows[tag]
    elseif call == HIGHEST then
        return entity.highs[tag]
    end
    return floor(entity.sums[tag] / some + 0.5)
end

local function put_answers(entity, calls, answers)
    for place = 1, #calls, 3 do
        local call, tag, more = calls[place], calls[place + 1], calls[place + 2]
        if call == SHARE then
            put_share(entity, answers, tag, more)
        elseif call == TRAVEL then
            put_travel(entity, answers)
        else
            answers[#answers + 1] = answer_of(entity, call, tag, more)
        end
    end
end

local answers = {}
for number, key in ipairs(KEYS) do
    local reach_s, tags, calls = plan_of(byte(ARGV[2], number))
    local entity = entity_of(key)
    open(entity, reach_s)
    local text = counted(entity, tags)
    if is_look == 0 and (entity.is_new or entity.is_changed) then
        redis.call('SET', key, text, 'EX', entity.kept_s)
    end
    if is_payment then
        put_answers(entity, calls, answers)
    else
        answers[number] = entity.is_new and 1 or 0
    end
end
return answers
