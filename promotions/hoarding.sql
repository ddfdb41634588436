-- What keeps scarce budgets from being hoarded (hoarding.py).

-- name: scarce
-- Of these campaigns, those that have less than a tenth of what is granted to their present day left.
SELECT s.campaign_id
FROM campaigns c JOIN campaign_slices s ON s.campaign_id = c.id AND s.day = (now() AT TIME ZONE c.timezone)::date
WHERE c.id = ANY ($1::text[])
GROUP BY s.campaign_id
HAVING sum(s.granted - s.used) * 10 < sum(s.granted) OR sum(s.granted_count - s.used_count) * 10 < sum(s.granted_count)
