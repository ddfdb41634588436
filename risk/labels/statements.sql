-- Labels of payments (store.py, telling.py).

-- name: add
-- The same word from the same source as the one that stands adds nothing: an import can be repeated.
WITH standing AS (
    SELECT fraud, source FROM risk_labels
    WHERE payment_id = $1 AND merchant_id = $2
    ORDER BY seq DESC
    LIMIT 1
)
INSERT INTO risk_labels (payment_id, merchant_id, fraud, source, note, by, known_at)
SELECT $1, $2, $3, $4, $5, $6, coalesce($7, now())
WHERE NOT EXISTS (SELECT FROM standing WHERE fraud = $3 AND source = $4)
RETURNING seq, payment_id, merchant_id, fraud, source, by, note, known_at, recorded_at, told_at

-- name: hold_payment
-- Labels of one payment are added one after the other.
SELECT pg_advisory_xact_lock(hashtextextended('risk label ' || $1, 0))

-- name: of_payment
SELECT seq, payment_id, merchant_id, fraud, source, by, note, known_at, recorded_at, told_at
FROM risk_labels
WHERE payment_id = $1 AND merchant_id = $2
ORDER BY seq

-- name: owners
-- Whose payments they are, and when they were made; those that are none are left out.
SELECT id, merchant_id, created_at FROM payments WHERE id = ANY ($1::text[])

-- name: untold
-- Frauds that the velocity counters have not acknowledged, as long as they stand; `FOR UPDATE` shares them out among
-- workers.
SELECT l.seq, l.payment_id, l.merchant_id, l.known_at, p.amount, p.request_sealed, p.code_id, p.wallet, p.created_at
FROM risk_labels l
JOIN payments p ON p.id = l.payment_id AND p.merchant_id = l.merchant_id
WHERE l.fraud AND l.told_at IS NULL
ORDER BY l.seq
LIMIT $1
FOR UPDATE OF l SKIP LOCKED

-- name: told
UPDATE risk_labels SET told_at = now() WHERE payment_id = $1 AND merchant_id = $2 AND seq = $3
