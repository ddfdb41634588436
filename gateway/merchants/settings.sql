-- What a merchant is and wants (settings.py).

-- name: find
SELECT
    id, name, status, timezone, signing_required, receipt_discounts, customer_realm, category, region, risk_tier,
    risk_open_amount_max, payments_per_s, payments_burst, payments_in_flight_max
FROM merchants WHERE id = $1

-- name: hold
SELECT
    id, name, status, timezone, signing_required, receipt_discounts, customer_realm, category, region, risk_tier,
    risk_open_amount_max, payments_per_s, payments_burst, payments_in_flight_max
FROM merchants WHERE id = $1
FOR NO KEY UPDATE

-- name: list
-- The newest first; those below an id and with a part of a name, where they are given.
SELECT
    id, name, status, timezone, signing_required, receipt_discounts, customer_realm, category, region, risk_tier,
    risk_open_amount_max, payments_per_s, payments_burst, payments_in_flight_max
FROM merchants
WHERE ($2::text IS NULL OR id < $2) AND ($3::text IS NULL OR strpos(lower(name), lower($3)) > 0)
ORDER BY id DESC LIMIT $1

-- name: keys
-- A merchant's, the newest first.
SELECT id, merchant_id, hint, scopes, created_at, revoked_at FROM api_keys WHERE merchant_id = $1 ORDER BY id DESC

-- name: save
UPDATE merchants SET
    name = $2, timezone = $3, signing_required = $4, receipt_discounts = $5, customer_realm = $6, category = $7,
    region = $8, risk_tier = $9, risk_open_amount_max = $10, payments_per_s = $11,
    payments_burst = $12, payments_in_flight_max = $13, status = $14
WHERE id = $1
