-- Which merchants changed (migration 0020, merchant_changes).

-- name: newest
SELECT merchants FROM directory_revision

-- name: since
-- In one snapshot: the newest number, how many of those after $1 are there still, and whose they are; null where one of
-- them names nobody.
SELECT
    r.merchants AS newest, count(DISTINCT c.number) AS known,
    CASE WHEN bool_and(c.merchant_id IS NOT NULL) THEN array_agg(DISTINCT c.merchant_id) END AS ids
FROM directory_revision r LEFT JOIN merchant_changes c ON c.number > $1
GROUP BY r.merchants

-- name: forget
DELETE FROM merchant_changes WHERE at < now() - interval '1 hour'
