-- What quotes read (quoting.py).

-- name: rooms
-- What these campaigns can still give on that day of theirs: fen and redemptions, NULL where there is no limit.
SELECT
    c.id,
    least(c.budget - taken.fen, c.budget_per_day - taken.fen_today) AS fen,
    least(c.count - taken.count, c.count_per_day - taken.count_today) AS count
FROM unnest($1::text [], $2::date []) AS asked (id, day)
JOIN campaigns c ON c.id = asked.id
CROSS JOIN LATERAL (
    SELECT
        coalesce(sum(s.used), 0)::bigint AS fen,
        coalesce(sum(s.used) FILTER (WHERE s.day = asked.day), 0)::bigint AS fen_today,
        coalesce(sum(s.used_count), 0)::bigint AS count,
        coalesce(sum(s.used_count) FILTER (WHERE s.day = asked.day), 0)::bigint AS count_today
    FROM campaign_slices s
    WHERE s.campaign_id = c.id
) taken
