-- Static codes, and what a scanned token leads to (store.py).

-- name: add
INSERT INTO codes (
    id, token, merchant_id, name, description, amount, store_id, terminal_id, operator_id, metadata,
    idempotency_key, request_fingerprint
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::json, $11, $12)
ON CONFLICT (merchant_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
RETURNING *

-- name: find
SELECT * FROM codes WHERE id = $1 AND merchant_id = $2

-- name: find_by_key
SELECT * FROM codes WHERE merchant_id = $1 AND idempotency_key = $2

-- name: find_by_token
SELECT c.*, m.name AS merchant_name, m.timezone, m.status = 'active' AS merchant_active
FROM codes c JOIN merchants m ON m.id = c.merchant_id
WHERE c.token = $1

-- name: list
SELECT * FROM codes
WHERE merchant_id = $1
    AND ($2::text IS NULL OR id < $2)
    AND ($3::text IS NULL OR status = $3)
    AND ($4::text IS NULL OR store_id = $4)
ORDER BY id DESC
LIMIT $5

-- name: count_active
SELECT count(*) FROM codes WHERE merchant_id = $1 AND status = 'active'

-- name: revoke
UPDATE codes SET status = 'revoked', revoked_at = coalesce(revoked_at, now())
WHERE id = $1 AND merchant_id = $2
RETURNING *

-- name: find_shop_of_payment
SELECT m.id, m.name, m.timezone, m.status = 'active' AS active
FROM payments p JOIN merchants m ON m.id = p.merchant_id
WHERE p.id = $1
