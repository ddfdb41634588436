-- Stored payments for a back-test (stored.py).

-- name: payments
-- Of a stretch of time, with where they were made, in pages by time and id.
SELECT
    p.id, p.merchant_id, p.amount, p.amount - p.payable AS discount, p.method, p.any_wallet, p.wallet, p.store_id,
    p.terminal_id, p.operator_id, p.code_id, p.customer, p.request_sealed, p.created_at, m.timezone,
    coalesce(m.customer_realm, m.id) AS customer_realm, coalesce(s.region, m.region) AS region,
    coalesce(s.category, m.category) AS category, m.risk_tier, m.created_at AS merchant_since,
    s.latitude, s.longitude, l.fraud, l.known_at
FROM payments p
JOIN merchants m ON m.id = p.merchant_id
LEFT JOIN stores s ON s.merchant_id = p.merchant_id AND s.store_id = p.store_id
LEFT JOIN LATERAL (
    SELECT fraud, known_at FROM risk_labels
    WHERE payment_id = p.id AND merchant_id = p.merchant_id
    ORDER BY seq DESC
    LIMIT 1
) l ON true
WHERE p.id > $1 AND p.id < $2
ORDER BY p.id
LIMIT $3

-- name: refunds
SELECT payment_id, created_at AS at, amount FROM refunds WHERE payment_id > $1 AND payment_id < $2

-- name: complaints
SELECT payment_id, at, 0::bigint AS amount FROM risk_complaints WHERE payment_id > $1 AND payment_id < $2

-- name: declines
SELECT id AS payment_id, completed_at AS at, amount FROM payments
WHERE id > $1 AND id < $2 AND status = 'failed' AND completed_at IS NOT NULL
