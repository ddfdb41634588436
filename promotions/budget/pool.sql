-- What the pool reads of the authority (pool.py, loading.py, keeping.py, reconciling.py).

-- name: state
SELECT epoch, generation FROM pool_state

-- name: slices
-- What is left of a campaign's slices of a day; null is not limited.
SELECT slice, granted - used AS left, granted_count - used_count AS count
FROM campaign_slices WHERE campaign_id = $1 AND day = $2
ORDER BY slice

-- name: beat
-- One second's heartbeat: of many workers one writes it.  A clock that was set back stops nothing.
UPDATE pool_state SET generation = generation + 1, beaten_at = clock_timestamp()
WHERE NOT beaten_at BETWEEN clock_timestamp() - interval '900 ms' AND clock_timestamp()
RETURNING epoch, generation

-- name: fence
-- A new epoch; nothing where somebody was first.
UPDATE pool_state SET epoch = epoch + 1, fenced_at = clock_timestamp(), reason = $2
WHERE epoch = $1
RETURNING epoch

-- name: present_slices
-- Today's slices of every campaign that gives something now.
SELECT campaign_id, day, slice, granted - used AS left, granted_count - used_count AS count
FROM campaigns JOIN campaign_slices ON campaign_id = id AND day = (now() AT TIME ZONE timezone)::date
WHERE status = 'active'

-- name: rooms
-- Of these slices: the arrays stand side by side.
SELECT campaign_id, day, slice, granted - used AS left, granted_count - used_count AS count
FROM unnest($1::text[], $2::date[], $3::smallint[]) AS wanted (campaign_id, day, slice)
JOIN campaign_slices USING (campaign_id, day, slice)

-- name: holders
-- Which of these payments took something of a campaign.  The bounds name the partitions.
SELECT payment_id, campaign_id FROM redemptions
WHERE payment_id = ANY ($1::text[]) AND payment_id BETWEEN $2 AND $3

-- name: hold_slices
-- Locked in the order in which everybody locks them.
SELECT slice, granted - used AS left, granted_count - used_count AS count
FROM campaign_slices s, hurry() WHERE campaign_id = $1 AND day = $2
ORDER BY slice
FOR NO KEY UPDATE OF s

-- name: move
-- Grants of a day's slices raised and lowered; together the changes come to nothing.
UPDATE campaign_slices AS s SET granted = s.granted + moved.fen, granted_count = s.granted_count + moved.count
FROM unnest($3::smallint[], $4::bigint[], $5::bigint[]) AS moved (slice, fen, count)
WHERE s.campaign_id = $1 AND s.day = $2 AND s.slice = moved.slice
