-- What a merchant is and wants (settings.py).

-- name: find
SELECT id, name, status, timezone, signing_required, receipt_discounts FROM merchants WHERE id = $1

-- name: hold
SELECT id, name, status, timezone, signing_required, receipt_discounts FROM merchants WHERE id = $1
FOR NO KEY UPDATE

-- name: change
UPDATE merchants SET
    name = coalesce($2, name),
    timezone = coalesce($3, timezone),
    signing_required = coalesce($4, signing_required),
    receipt_discounts = coalesce($5, receipt_discounts)
WHERE id = $1
RETURNING id, name, status, timezone, signing_required, receipt_discounts
