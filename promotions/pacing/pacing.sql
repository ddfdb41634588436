-- Pacing (keeping.py, book.py).  All times are the database's.

-- name: shares
SELECT campaign_id, share FROM campaign_pace WHERE share < 1

-- name: look
-- The paced campaigns that are on, with what was used of today and before it, and where their pacing stands.
SELECT
    c.id, c.document ->> 'pacing' AS pacing, c.timezone, greatest(c.starts_at, c.activated_at) AS starts_at, c.ends_at,
    c.budget, c.budget_per_day, c.count, c.count_per_day, today.day, clock_timestamp() AS at,
    coalesce(s.used, 0)::bigint AS used, coalesce(s.used_count, 0)::bigint AS used_count,
    coalesce(s.before, 0)::bigint AS before, coalesce(s.before_count, 0)::bigint AS before_count,
    p.share, p.day AS seen_day, p.used AS seen_used, p.spent, p.exposed_s, p.updated_at, g.day AS granted_day,
    g.share AS granted_share
FROM campaigns c
CROSS JOIN LATERAL (SELECT (now() AT TIME ZONE c.timezone)::date AS day) today
LEFT JOIN LATERAL (
    SELECT
        sum(used) FILTER (WHERE slices.day = today.day) AS used,
        sum(used_count) FILTER (WHERE slices.day = today.day) AS used_count,
        sum(used) FILTER (WHERE slices.day <> today.day) AS before,
        sum(used_count) FILTER (WHERE slices.day <> today.day) AS before_count
    FROM campaign_slices slices WHERE slices.campaign_id = c.id
) s ON true
LEFT JOIN campaign_pace p ON p.campaign_id = c.id
LEFT JOIN campaign_grants g ON g.campaign_id = c.id
WHERE c.status = 'active' AND (c.document ->> 'pacing') IS NOT NULL
    AND (c.starts_at IS NULL OR c.starts_at <= now()) AND (c.ends_at IS NULL OR c.ends_at > now())

-- name: note
-- Only where nobody else has noted a look meanwhile ($8 is the one before): any number of workers may run.
INSERT INTO campaign_pace AS p (campaign_id, share, day, used, spent, exposed_s, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (campaign_id) DO UPDATE SET
    share = excluded.share, day = excluded.day, used = excluded.used, spent = excluded.spent,
    exposed_s = excluded.exposed_s, updated_at = excluded.updated_at
WHERE p.updated_at = $8

-- name: open
-- Whoever is no longer paced lets everybody through again.
DELETE FROM campaign_pace p
WHERE NOT EXISTS (SELECT FROM campaigns c WHERE c.id = p.campaign_id AND (c.document ->> 'pacing') IS NOT NULL)

-- name: held_back
-- Campaigns that are no longer paced, but were today: the rest of their day is still to be granted.
SELECT g.campaign_id, g.day
FROM campaign_grants g JOIN campaigns c ON c.id = g.campaign_id
WHERE g.share < 1 AND g.day >= (now() AT TIME ZONE c.timezone)::date AND (c.document ->> 'pacing') IS NULL
