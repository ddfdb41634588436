-- The watch over the ledger (ledger.py): payments whose postings are not what their state makes them.

-- name: lead
SELECT pg_try_advisory_lock($1)

-- name: checked
-- Up to $3 payments with ids above $1 and below $2: how many there were, the last of them, and the mismatched ones with
-- what each is off by.  Captured is worth its amount, whoever paid for it; anything else is worth nothing; and what
-- refunds gave back was booked back.
WITH looked AS (
    SELECT id, merchant_id, CASE WHEN status = 'succeeded' THEN amount ELSE 0 END AS worth, amount_refunded
    FROM payments WHERE id > $1 AND id < $2 ORDER BY id LIMIT $3
), off AS (
    SELECT l.id, abs(t.booked - l.worth) + abs(t.refunded - l.amount_refunded) AS fen
    FROM looked l
    CROSS JOIN LATERAL (
        SELECT
            coalesce(sum(amount) FILTER (WHERE kind IN ('capture', 'discount')), 0)
                - coalesce(sum(amount) FILTER (WHERE kind IN ('capture_reversed', 'discount_reversed')), 0) AS booked,
            coalesce(sum(amount) FILTER (WHERE kind IN ('refund', 'refund_discount')), 0) AS refunded
        FROM transfers WHERE payment_id = l.id AND merchant_id = l.merchant_id
    ) t
)
SELECT
    (SELECT count(*) FROM looked) AS payments, (SELECT max(id) FROM looked) AS last_id,
    coalesce((SELECT json_object_agg(id, fen) FROM off WHERE fen > 0), '{}') AS mismatches
