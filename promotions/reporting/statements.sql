-- What became of campaigns (counting.py, report.py).

-- name: add_counts
INSERT INTO campaign_hours AS h (campaign_id, hour, what, count)
SELECT campaign_id, date_trunc('hour', now()), what, count
FROM unnest($1::text[], $2::text[], $3::bigint[]) AS counted (campaign_id, what, count)
ON CONFLICT (campaign_id, hour, what) DO UPDATE SET count = h.count + excluded.count

-- name: forget_hours
-- Some of what is older than the thirteen months that payments are kept.
DELETE FROM campaign_hours WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM campaign_hours WHERE hour < now() - interval '400 days' LIMIT 10000
))

-- The report of one campaign ($1) and a time: $2 and $3 bound the payments' ids, $4 and $5 the time of their intents, $6
-- is the campaign's time zone.  Redemptions are found by (campaign_id, payment_id), for ids sort by time; what belongs to
-- them is looked up row by row (OFFSET 0 keeps it so), or the planner would read a month for an hour.

-- name: count_redemptions
SELECT count(*) FROM (
    SELECT FROM redemptions WHERE campaign_id = $1 AND payment_id >= $2 AND payment_id < $3 LIMIT $4
) r

-- name: hours
-- A customer is new whose first captured payment came after this one's intent: with this one, that is.
SELECT
    date_trunc('hour', r.created_at, $6) AS hour, count(*) AS redemptions,
    count(*) FILTER (WHERE p.status = 'succeeded') AS succeeded,
    count(*) FILTER (WHERE p.status IN ('processing', 'requires_action')) AS held,
    coalesce(sum(r.discount + r.fee_off) FILTER (WHERE p.status = 'succeeded'), 0)::bigint AS spent_fen,
    coalesce(sum(r.discount + r.fee_off) FILTER (WHERE p.status IN ('processing', 'requires_action')), 0)::bigint
        AS held_fen,
    coalesce(sum(p.amount) FILTER (WHERE p.status = 'succeeded'), 0)::bigint AS turnover_fen,
    coalesce(sum(p.amount_refunded) FILTER (WHERE p.status = 'succeeded'), 0)::bigint AS refunded_fen,
    count(DISTINCT p.customer) FILTER (WHERE p.status = 'succeeded' AND c.first_at >= r.created_at) AS new_customers
FROM redemptions r
CROSS JOIN LATERAL (
    SELECT status, amount, amount_refunded, customer FROM payments
    WHERE id = r.payment_id AND merchant_id = r.merchant_id
    OFFSET 0
) p
LEFT JOIN LATERAL (SELECT first_at FROM customers WHERE customer = p.customer OFFSET 0) c ON true
WHERE r.campaign_id = $1 AND r.payment_id >= $2 AND r.payment_id < $3 AND r.created_at >= $4 AND r.created_at < $5
GROUP BY 1 ORDER BY 1

-- name: sponsors
-- What each sponsor paid for payments that succeeded, by hour.
SELECT
    date_trunc('hour', r.created_at, $6) AS hour, part ->> 'sponsor' AS sponsor,
    sum((part ->> 'amount')::bigint)::bigint AS spent_fen
FROM redemptions r
CROSS JOIN LATERAL (
    SELECT FROM payments
    WHERE id = r.payment_id AND merchant_id = r.merchant_id AND status = 'succeeded'
    OFFSET 0
) p
CROSS JOIN LATERAL json_array_elements(r.funding) AS part
WHERE r.campaign_id = $1 AND r.payment_id >= $2 AND r.payment_id < $3 AND r.created_at >= $4 AND r.created_at < $5
GROUP BY 1, 2 ORDER BY 1, 2

-- name: returned
-- What refunds of these payments gave back to each sponsor, whenever that was.
SELECT
    part ->> 'sponsor' AS sponsor, count(DISTINCT f.id) AS refunds, sum((part ->> 'amount')::bigint)::bigint AS returned_fen
FROM redemptions r
CROSS JOIN LATERAL (
    SELECT FROM payments
    WHERE id = r.payment_id AND merchant_id = r.merchant_id AND status = 'succeeded' AND amount_refunded > 0
    OFFSET 0
) p
CROSS JOIN LATERAL (
    SELECT id, funding FROM refunds WHERE payment_id = r.payment_id AND status = 'succeeded'
    OFFSET 0
) f
CROSS JOIN LATERAL json_array_elements(f.funding) AS part
WHERE r.campaign_id = $1 AND r.payment_id >= $2 AND r.payment_id < $3 AND r.created_at >= $4 AND r.created_at < $5
    AND part ->> 'campaign_id' = $1 AND $6::text IS NOT NULL
GROUP BY 1 ORDER BY 1

-- name: customers
SELECT count(DISTINCT p.customer) AS customers
FROM redemptions r
CROSS JOIN LATERAL (
    SELECT customer FROM payments
    WHERE id = r.payment_id AND merchant_id = r.merchant_id AND status = 'succeeded'
    OFFSET 0
) p
WHERE r.campaign_id = $1 AND r.payment_id >= $2 AND r.payment_id < $3 AND r.created_at >= $4 AND r.created_at < $5
    AND $6::text IS NOT NULL

-- name: counted
SELECT date_trunc('hour', hour, $4) AS hour, what, sum(count)::bigint AS count
FROM campaign_hours
WHERE campaign_id = $1 AND hour >= date_trunc('hour', $2::timestamptz) AND hour < $3
GROUP BY 1, 2 ORDER BY 1, 2

-- name: gauges
-- The running campaigns that gave most today ($1 of them), each with what became of its budget; what the others gave
-- today is one row without an id.  Held is what undecided payments took: those have a recovery task or are in review.
WITH today AS (
    SELECT c.id, c.budget, c.budget_per_day, s.used, s.left_fen
    FROM campaigns c
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(used), 0)::bigint AS used, sum(granted - used)::bigint AS left_fen FROM campaign_slices
        WHERE campaign_id = c.id AND day = (now() AT TIME ZONE c.timezone)::date
    ) s
    WHERE c.status IN ('active', 'paused')
), ranked AS (
    SELECT *, row_number() OVER (ORDER BY used DESC, id) AS place FROM today
), undecided AS (
    SELECT payment_id, merchant_id FROM recovery_tasks WHERE purpose = 'resolve'
    UNION
    SELECT id, merchant_id FROM payments WHERE review IS NOT NULL
), held AS (
    SELECT r.campaign_id, sum(r.discount + r.fee_off)::bigint AS fen
    FROM undecided u
    JOIN payments p ON p.id = u.payment_id AND p.merchant_id = u.merchant_id
    JOIN redemptions r ON r.payment_id = p.id AND r.merchant_id = p.merchant_id
    WHERE p.promoted AND p.status IN ('processing', 'requires_action')
    GROUP BY r.campaign_id
)
SELECT
    k.id, k.used AS today_fen, coalesce(h.fen, 0) AS held_fen, s.used - coalesce(h.fen, 0) AS spent_fen,
    k.budget AS budget_fen, k.budget - s.used AS left_fen, k.left_fen AS granted_left_fen, coalesce(p.share, 1) AS share,
    (
        SELECT json_object_agg(w.what, w.count) FROM campaign_hours w
        WHERE w.campaign_id = k.id AND w.hour = date_trunc('hour', now())
    ) AS asked,
    k.place
FROM ranked k
CROSS JOIN LATERAL (SELECT sum(used)::bigint AS used FROM campaign_slices WHERE campaign_id = k.id) s
LEFT JOIN held h ON h.campaign_id = k.id
LEFT JOIN campaign_pace p ON p.campaign_id = k.id
WHERE k.place <= $1
UNION ALL
SELECT NULL, sum(used)::bigint, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM ranked WHERE place > $1 HAVING count(*) > 0
ORDER BY place NULLS LAST
