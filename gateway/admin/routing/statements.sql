-- Payments as routing sees them (matches.py, explain.py, accounts.py).

-- name: recent_sales
-- The newest of all merchants; a code that any wallet can pay has no wallet before somebody pays.
SELECT
    newest.id, newest.merchant_id, newest.amount, newest.wallet, newest.method, newest.store_id, newest.terminal_id,
    newest.operator_id, newest.code_id, newest.created_at, merchants.timezone
FROM (
    SELECT id, merchant_id, amount, wallet, method, store_id, terminal_id, operator_id, code_id, created_at
    FROM payments ORDER BY id DESC LIMIT $1
) AS newest JOIN merchants ON merchants.id = newest.merchant_id

-- name: payment
-- By its id alone: operations ask, not a merchant.
SELECT
    payments.id, merchant_id, amount, payable, wallet, method, payments.status, store_id, terminal_id, operator_id,
    code_id, request_sealed, payments.created_at, merchants.timezone
FROM payments JOIN merchants ON merchants.id = merchant_id
WHERE payments.id = $1

-- name: attempts
SELECT seq, account_id, state, channel_code, created_at, finished_at, routing, page_sealed IS NOT NULL AS has_page
FROM attempts WHERE payment_id = $1 ORDER BY seq

-- name: account_sums
-- What accounts captured on that day, and in its month so far; each account has its own day.
SELECT account_id, coalesce(sum(captured_fen) FILTER (WHERE account_days.day = wanted.day), 0)::bigint AS day_fen,
    sum(captured_fen)::bigint AS month_fen
FROM unnest($1::text[], $2::date[]) AS wanted (account_id, day)
JOIN account_days USING (account_id)
WHERE account_days.day BETWEEN date_trunc('month', wanted.day)::date AND wanted.day
GROUP BY account_id
