-- What grants ask of the authority (grants.py); the work itself is done by functions (gateway/database/migrations).

-- name: grant
SELECT grant_day($1, $2, $3)

-- name: overdrawn
-- Whether more is granted than there is, which is so only where more was taken already.
SELECT sum(coalesce(s.granted, s.used))::bigint AS fen, sum(coalesce(s.granted_count, s.used_count))::bigint AS count
FROM campaigns c JOIN campaign_slices s ON s.campaign_id = c.id
WHERE c.id = $1
GROUP BY c.id
HAVING sum(coalesce(s.granted, s.used)) > c.budget OR sum(coalesce(s.granted_count, s.used_count)) > c.count

-- name: to_be_granted
-- Running campaigns that have leftovers of the last days, or nothing for today yet; older leftovers come with a new day.
SELECT c.id
FROM campaigns c CROSS JOIN LATERAL (SELECT (now() AT TIME ZONE c.timezone)::date AS today) t
WHERE c.status = 'active' AND coalesce(c.budget, c.budget_per_day, c.count, c.count_per_day) IS NOT NULL
    AND coalesce(c.starts_at <= now(), true) AND coalesce(c.ends_at > now(), true)
    AND (
        NOT EXISTS (SELECT FROM campaign_slices s WHERE s.campaign_id = c.id AND s.day = t.today)
        OR EXISTS (
            SELECT FROM campaign_slices s
            WHERE s.campaign_id = c.id AND s.day < t.today AND s.day > t.today - 4
                AND (s.granted > s.used OR s.granted_count > s.used_count)
        )
    )
ORDER BY c.id

-- name: forget_uses
-- Some of the counters of days long past.
DELETE FROM campaign_uses WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM campaign_uses
    WHERE day > '2000-01-01' AND day < (now() - interval '40 days')::date
    LIMIT 10000
))
