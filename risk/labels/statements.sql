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

-- name: of_payment
SELECT seq, payment_id, merchant_id, fraud, source, by, note, known_at, recorded_at, told_at
FROM risk_labels
WHERE payment_id = $1 AND merchant_id = $2
ORDER BY seq

-- name: newest
SELECT seq, payment_id, merchant_id, fraud, source, by, note, known_at, recorded_at, told_at
FROM risk_labels
WHERE seq < $1
ORDER BY seq DESC
LIMIT $2

-- name: newest_of_payment
SELECT seq, payment_id, merchant_id, fraud, source, by, note, known_at, recorded_at, told_at
FROM risk_labels
WHERE payment_id = $3 AND seq < $1
ORDER BY seq DESC
LIMIT $2

-- name: owners
-- Whose payments they are, and when they were made; those that are none are left out.
SELECT id, merchant_id, created_at, now() AS now FROM payments WHERE id = ANY ($1::text[])

-- name: untold
-- Frauds that the velocity counters have not acknowledged.  `needless` are those of which they know already, by an earlier
-- label, and those that were taken back meanwhile.  Those of the payments $2 are put off.
SELECT
    l.payment_id, l.merchant_id, min(l.known_at) AS known_at, p.amount AS amount_fen,
    EXISTS (
        SELECT FROM risk_labels t
        WHERE t.payment_id = l.payment_id AND t.merchant_id = l.merchant_id AND t.fraud AND t.told_at IS NOT NULL
    ) OR NOT (
        SELECT n.fraud FROM risk_labels n
        WHERE n.payment_id = l.payment_id AND n.merchant_id = l.merchant_id
        ORDER BY n.seq DESC
        LIMIT 1
    ) AS needless
FROM (
    SELECT * FROM risk_labels
    WHERE fraud AND told_at IS NULL AND payment_id <> ALL ($2::text[])
    ORDER BY seq
    LIMIT $1
    FOR UPDATE SKIP LOCKED
) l
LEFT JOIN payments p ON p.id = l.payment_id AND p.merchant_id = l.merchant_id
GROUP BY l.payment_id, l.merchant_id, p.amount
ORDER BY known_at

-- name: told
UPDATE risk_labels SET told_at = now()
WHERE payment_id = $1 AND merchant_id = $2 AND fraud AND told_at IS NULL
