-- Decisions as they were stored (store.py).

-- name: find
SELECT payment_id, merchant_id, version, verdict, score, hits, shadow, no_discount, features, missed, beyond_tolerance, at
FROM risk_decisions WHERE payment_id = $1 AND merchant_id = $2

-- name: merchant_of
SELECT merchant_id FROM risk_decisions WHERE payment_id = $1

-- name: page
-- Those of payments between two ids, in their order.
SELECT payment_id, merchant_id, version, verdict, score, hits, shadow, no_discount, features, missed, beyond_tolerance, at
FROM risk_decisions
WHERE payment_id > $1 AND payment_id < $2
ORDER BY payment_id, merchant_id LIMIT $3

-- name: count
SELECT count(*) FROM risk_decisions WHERE payment_id > $1 AND payment_id < $2

-- name: rules
-- The rules of a version with these codes, in its order.
SELECT rule::text FROM risk_rule_pieces, json_array_elements(rules) AS rule
WHERE version = $1 AND rule ->> 'code' = ANY ($2::text[])
ORDER BY piece
