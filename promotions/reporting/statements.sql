-- What became of campaigns (counting.py, report.py).

-- name: add_counts
INSERT INTO campaign_hours AS h (campaign_id, hour, what, count)
SELECT campaign_id, date_trunc('hour', now()), what, count
FROM unnest($1::text[], $2::text[], $3::bigint[]) AS counted (campaign_id, what, count)
ON CONFLICT (campaign_id, hour, what) DO UPDATE SET count = h.count + excluded.count

-- The report of one campaign ($1) and a time: $2 and $3 bound the payments' ids, $4 and $5 the time of their intents, $6
-- is the campaign's time zone.  Redemptions are found by (campaign_id, payment_id), for ids sort by time; what belongs to
-- them is looked up row by row (OFFSET 0 keeps it so), or the planner would read a month for an hour.

-- name: count_redemptions
SELECT count(*) FROM (
    SELECT FROM redemptions WHERE campaign_id = $1 AND payment_id >= $2 AND payment_id < $3 LIMIT $4
) r

-- name: hours
SELECT
    date_trunc('hour', r.created_at, $6) AS hour, count(*) AS redemptions,
    count(*) FILTER (WHERE p.status = 'succeeded') AS succeeded,
    count(*) FILTER (WHERE p.status IN ('processing', 'requires_action')) AS held,
    coalesce(sum(r.discount + r.fee_off) FILTER (WHERE p.status = 'succeeded'), 0)::bigint AS spent_fen,
    coalesce(sum(r.discount + r.fee_off) FILTER (WHERE p.status IN ('processing', 'requires_action')), 0)::bigint
        AS held_fen,
    coalesce(sum(p.amount) FILTER (WHERE p.status = 'succeeded'), 0)::bigint AS turnover_fen,
    coalesce(sum(p.amount_refunded) FILTER (WHERE p.status = 'succeeded'), 0)::bigint AS refunded_fen,
    count(*) FILTER (WHERE p.status = 'succeeded' AND r.new_customer) AS new_customers
FROM redemptions r
CROSS JOIN LATERAL (
    SELECT status, amount, amount_refunded FROM payments
    WHERE id = r.payment_id AND merchant_id = r.merchant_id
    OFFSET 0
) p
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
