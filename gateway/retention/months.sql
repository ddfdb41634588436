-- Retention's statements; {where}payments_{month} is a table of a month such as 2025_09, {low} and {high} the bounds of
-- its ULIDs: letters and digits of our own making.

-- name: attached
-- The months of payments that are part of the table, oldest first, and what all their tables take on disk.
SELECT right(c.relname, 7) AS month, (
    SELECT sum(pg_total_relation_size(k.oid))::bigint FROM pg_class k
    WHERE k.relnamespace = c.relnamespace AND k.relkind = 'r' AND k.relname LIKE '%\_' || right(c.relname, 7)
) AS bytes
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'payments'::regclass AND c.relname ~ '^payments_\d{4}_\d\d$'
ORDER BY 1

-- name: begun
SELECT month FROM retired_months WHERE finished_at IS NULL ORDER BY month

-- name: finished
SELECT month, archive, detached_at FROM retired_months WHERE finished_at IS NOT NULL ORDER BY month

-- name: begin
INSERT INTO retired_months (month, archive) VALUES ($1, $2)
ON CONFLICT (month) DO UPDATE SET archive = excluded.archive, finished_at = NULL

-- name: finish
UPDATE retired_months SET rows = $2::json, finished_at = now() WHERE month = $1

-- name: take_back
DELETE FROM retired_months WHERE month = $1 AND finished_at IS NULL

-- name: is_there
SELECT to_regclass($1) IS NOT NULL

-- name: is_attached
SELECT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = to_regclass($1))

-- name: day
SELECT * FROM {where}{table}_{month} WHERE {column} >= '{low}' AND {column} < '{high}' ORDER BY {column}

-- name: in_the_way
-- What of a month is not over, and how often.
SELECT what, count FROM (
    SELECT 'payments that are open, in review, being reversed or refunded' AS what, count(*) AS count
    FROM {where}payments_{month}
    WHERE status IN ('processing', 'requires_action') OR review IS NOT NULL OR reversal = 'pending'
        OR refund_held <> amount_refunded
    UNION ALL
    SELECT 'refunds that are pending or in review', count(*) FROM {where}refunds_{month}
    WHERE status = 'pending' OR review IS NOT NULL
    UNION ALL
    SELECT 'refunds of its payments in review, made in later months', count(*) FROM refunds
    WHERE review IS NOT NULL AND id >= 'ref_{high}' AND payment_id >= 'pay_{low}' AND payment_id < 'pay_{high}'
    UNION ALL
    SELECT 'refunds of payments of earlier months, which are still here', count(*) FROM {where}refunds_{month} r
    WHERE payment_id < 'pay_{low}' AND EXISTS (
        SELECT FROM payments p
        WHERE p.id = r.payment_id AND p.merchant_id = r.merchant_id AND p.id < 'pay_{low}'
    )
    UNION ALL
    SELECT 'notifications not yet applied or settled', count(*) FROM {where}callbacks_{month}
    WHERE applied_at IS NULL OR (result IN ('review', 'orphan') AND settled_at IS NULL)
    UNION ALL
    SELECT 'tasks of the worker', count(*) FROM recovery_tasks
    WHERE payment_id >= 'pay_{low}' AND payment_id < 'pay_{high}'
    UNION ALL
    SELECT 'late captures not yet given back', count(*) FROM late_captures
    WHERE payment_id >= 'pay_{low}' AND payment_id < 'pay_{high}' AND status <> 'refunded'
    UNION ALL
    SELECT 'risk cases not yet decided', count(*) FROM risk_cases
    WHERE payment_id >= 'pay_{low}' AND payment_id < 'pay_{high}' AND decided_at IS NULL
    UNION ALL
    SELECT 'events not yet in any queue', count(*) FROM webhook_outbox
    WHERE payment_id >= 'pay_{low}' AND payment_id < 'pay_{high}'
    UNION ALL
    SELECT 'webhooks still to be sent', count(*) FROM {where}webhook_deliveries_{month} WHERE status = 'pending'
) AS found
WHERE count > 0
