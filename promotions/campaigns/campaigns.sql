-- Campaigns, their versions and top-ups (store.py), and what is left of their budgets (balances.py).

-- name: create
-- The first version with it.  $2 is the document.
WITH created AS (
    INSERT INTO campaigns (
        id, document, budget, budget_per_day, count, count_per_day, slices, timezone, starts_at, ends_at, revision
    )
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1)
    RETURNING *
), kept AS (
    INSERT INTO campaign_versions (campaign_id, version, document) SELECT id, version, document FROM created
)
SELECT * FROM created

-- name: find
SELECT * FROM campaigns WHERE id = $1

-- name: hold
-- Nobody else changes it, or grants of its budget, until the transaction ends.
SELECT * FROM campaigns WHERE id = $1 FOR NO KEY UPDATE

-- name: list
-- The newest first, below an id; by status, and by a part of the name.
SELECT * FROM campaigns
WHERE ($1::text IS NULL OR id < $1)
    AND ($2::text IS NULL OR status = $2)
    AND ($3::text IS NULL OR strpos(lower(document ->> 'name'), lower($3)) > 0)
ORDER BY id DESC LIMIT $4

-- name: edit
-- The next version, in force at once.
WITH edited AS (
    UPDATE campaigns SET
        document = $2, budget = $3, budget_per_day = $4, count = $5, count_per_day = $6, slices = $7, timezone = $8,
        starts_at = $9, ends_at = $10, version = version + 1, revision = revision + 1, updated_at = now()
    WHERE id = $1
    RETURNING *
), kept AS (
    INSERT INTO campaign_versions (campaign_id, version, document) SELECT id, version, document FROM edited
)
SELECT * FROM edited

-- name: set_status
UPDATE campaigns SET
    status = $2,
    revision = revision + 1,
    updated_at = now(),
    activated_at = CASE WHEN $2 = 'active' THEN coalesce(activated_at, now()) ELSE activated_at END,
    ended_at = CASE WHEN $2 = 'ended' THEN now() END
WHERE id = $1
RETURNING *

-- name: hold_slices
-- Those from which payments can take: of the present day, and of the one that has just ended.
SELECT FROM campaign_slices s, hurry()
WHERE campaign_id = $1 AND day >= (SELECT (now() AT TIME ZONE timezone)::date - 1 FROM campaigns WHERE id = $1)
ORDER BY campaign_id, day, slice
FOR NO KEY UPDATE OF s

-- name: versions
SELECT version, document, created_at FROM campaign_versions
WHERE campaign_id = $1 AND ($2::integer IS NULL OR version < $2)
ORDER BY version DESC LIMIT $3

-- name: find_top_up
SELECT amount FROM campaign_top_ups WHERE campaign_id = $1 AND key = $2

-- name: top_up
WITH noted AS (
    INSERT INTO campaign_top_ups (campaign_id, key, amount) VALUES ($1, $2, $3)
)
UPDATE campaigns SET budget = budget + $3, revision = revision + 1, updated_at = now()
WHERE id = $1
RETURNING *

-- name: balances
-- Campaigns with what was taken of each (held or spent, less what was given back) in all and today, and what of it
-- payments hold that are not decided: those are found by their recovery tasks and reviews.  One snapshot.
WITH wanted AS (
    SELECT
        *, (now() AT TIME ZONE timezone)::date AS today,
        num_nonnulls(budget, budget_per_day, count, count_per_day) > 0 AS has_slices
    FROM campaigns WHERE id = ANY ($1::text[])
), sliced AS (
    SELECT
        w.id, sum(s.used) AS used, sum(s.used_count) AS used_count,
        sum(s.used) FILTER (WHERE s.day = w.today) AS today_used,
        sum(s.used_count) FILTER (WHERE s.day = w.today) AS today_count
    FROM wanted w JOIN campaign_slices s ON s.campaign_id = w.id
    WHERE w.has_slices
    GROUP BY w.id
    UNION ALL
    -- Without any limit nothing is counted beforehand: what its payments took is added up.
    SELECT
        w.id, sum(r.discount + r.fee_off - coalesce(b.fen, 0)), count(*) FILTER (WHERE NOT b.is_whole),
        sum(r.discount + r.fee_off - coalesce(b.fen, 0)) FILTER (WHERE r.day = w.today),
        count(*) FILTER (WHERE NOT b.is_whole AND r.day = w.today)
    FROM wanted w
    JOIN redemptions r ON r.campaign_id = w.id
    JOIN payments p ON p.id = r.payment_id AND p.merchant_id = r.merchant_id
        AND p.status IN ('processing', 'requires_action', 'succeeded')
    CROSS JOIN LATERAL (
        SELECT
            r.returns_limits AND p.amount_refunded = p.amount AS is_whole,
            CASE WHEN r.returns_budget AND p.amount_refunded > 0 THEN (
                SELECT sum((share ->> 'amount')::bigint)
                FROM refunds f CROSS JOIN LATERAL json_array_elements(f.funding) AS share
                WHERE f.payment_id = p.id AND f.status = 'succeeded' AND share ->> 'campaign_id' = r.campaign_id
            ) END AS fen
    ) b
    WHERE NOT w.has_slices
    GROUP BY w.id
), undecided AS MATERIALIZED (
    SELECT p.id, p.merchant_id
    FROM recovery_tasks t JOIN payments p ON p.id = t.payment_id AND p.merchant_id = t.merchant_id
    WHERE t.purpose = 'resolve' AND p.promoted AND p.status IN ('processing', 'requires_action')
    UNION
    SELECT id, merchant_id FROM payments
    WHERE review IS NOT NULL AND promoted AND status IN ('processing', 'requires_action')
), held AS (
    SELECT r.campaign_id AS id, sum(r.discount + r.fee_off) AS fen, count(*) AS number
    -- OFFSET keeps the campaigns out of the search: a campaign's redemptions may be millions, undecided payments are few.
    FROM undecided u CROSS JOIN LATERAL (
        SELECT * FROM redemptions r WHERE r.payment_id = u.id AND r.merchant_id = u.merchant_id OFFSET 0
    ) r
    WHERE r.campaign_id = ANY ($1::text[])
    GROUP BY r.campaign_id
)
SELECT
    w.*, coalesce(s.used, 0)::bigint AS used, coalesce(s.used_count, 0)::bigint AS used_count,
    coalesce(s.today_used, 0)::bigint AS today_used, coalesce(s.today_count, 0)::bigint AS today_count,
    coalesce(h.fen, 0)::bigint AS held, coalesce(h.number, 0)::bigint AS held_count
FROM wanted w LEFT JOIN sliced s ON s.id = w.id LEFT JOIN held h ON h.id = w.id
