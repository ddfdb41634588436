-- Payments as campaigns see them (matches.py).

-- name: recent_payments
-- The newest of all merchants; a code that any wallet can pay has no wallet before somebody pays.
SELECT
    newest.*, coalesce(s.category, m.category) AS category, coalesce(s.region, m.region) AS region
FROM (
    SELECT id, merchant_id, amount, wallet, method, account_id, store_id, terminal_id, code_id, customer,
        created_at
    FROM payments ORDER BY id DESC LIMIT $1
) AS newest
JOIN merchants m ON m.id = newest.merchant_id
LEFT JOIN stores s ON s.merchant_id = newest.merchant_id AND s.store_id = newest.store_id
