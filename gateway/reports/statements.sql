-- What a shift report is made of (store.py): payments and refunds of a merchant and a time, and their postings apart.
-- $1 merchant, $2 and $3 bounds of the id, $4 and $5 bounds of the time, $6 store, $7 terminal, $8 operator (null: all).
-- Rows are found by (merchant_id, id), for ids sort by time.  What belongs to them is looked up row by row (OFFSET 0 keeps
-- it so): the planner does not see that their time bounds it too, and would read all that the merchant ever had.

-- name: count_payments
SELECT count(*) FROM (SELECT FROM payments WHERE merchant_id = $1 AND id >= $2 AND id < $3 LIMIT $4) p

-- name: count_refunds
SELECT count(*) FROM (SELECT FROM refunds WHERE merchant_id = $1 AND id >= $2 AND id < $3 LIMIT $4) r

-- name: payment_sums
SELECT
    store_id, terminal_id, operator_id, wallet, status, count(*) AS count, sum(amount)::bigint AS amount,
    sum(payable)::bigint AS payable
FROM payments
WHERE merchant_id = $1 AND id >= $2 AND id < $3 AND created_at >= $4 AND created_at < $5
    AND ($6::text IS NULL OR store_id = $6)
    AND ($7::text IS NULL OR terminal_id = $7)
    AND ($8::text IS NULL OR operator_id = $8)
GROUP BY store_id, terminal_id, operator_id, wallet, status
LIMIT $9

-- name: refund_sums
SELECT
    r.store_id, r.terminal_id, r.operator_id, p.wallet, r.status, count(*) AS count, sum(r.amount)::bigint AS amount,
    sum(r.returned_to_customer)::bigint AS returned, sum(r.discount_returned)::bigint AS discount,
    sum(r.fee_returned)::bigint AS fee
FROM refunds r
CROSS JOIN LATERAL (
    SELECT merchant_order_no, method, wallet FROM payments
    WHERE id = r.payment_id AND merchant_id = r.merchant_id
    OFFSET 0
) p
WHERE r.merchant_id = $1 AND r.id >= $2 AND r.id < $3 AND r.created_at >= $4 AND r.created_at < $5
    AND ($6::text IS NULL OR r.store_id = $6)
    AND ($7::text IS NULL OR r.terminal_id = $7)
    AND ($8::text IS NULL OR r.operator_id = $8)
GROUP BY r.store_id, r.terminal_id, r.operator_id, p.wallet, r.status
LIMIT $9

-- name: payment_postings
-- What the books hold of the captures of these payments; what came late is no sale, and stands apart in the books too.
SELECT
    p.store_id, p.terminal_id, p.operator_id, p.wallet, t.kind, split_part(t.debit, ':', 1) AS debit,
    split_part(t.credit, ':', 1) AS credit, sum(t.amount)::bigint AS amount
FROM payments p
CROSS JOIN LATERAL (
    SELECT kind, debit, credit, amount FROM transfers
    WHERE payment_id = p.id AND merchant_id = p.merchant_id AND seq < 100
    OFFSET 0
) t
WHERE p.merchant_id = $1 AND p.id >= $2 AND p.id < $3 AND p.created_at >= $4 AND p.created_at < $5
    AND ($6::text IS NULL OR p.store_id = $6)
    AND ($7::text IS NULL OR p.terminal_id = $7)
    AND ($8::text IS NULL OR p.operator_id = $8)
GROUP BY p.store_id, p.terminal_id, p.operator_id, p.wallet, t.kind, 6, 7

-- name: refund_postings
-- Each refund has numbers of its own among its payment's postings ($9 the first of all, $10 how many each).
SELECT
    r.store_id, r.terminal_id, r.operator_id, p.wallet, t.kind, split_part(t.debit, ':', 1) AS debit,
    split_part(t.credit, ':', 1) AS credit, sum(t.amount)::bigint AS amount
FROM refunds r
CROSS JOIN LATERAL (
    SELECT wallet FROM payments WHERE id = r.payment_id AND merchant_id = r.merchant_id OFFSET 0
) p
CROSS JOIN LATERAL (
    SELECT kind, debit, credit, amount FROM transfers
    WHERE payment_id = r.payment_id AND merchant_id = r.merchant_id
        AND seq >= $9 + r.seq * $10 AND seq < $9 + (r.seq + 1) * $10
    OFFSET 0
) t
WHERE r.merchant_id = $1 AND r.id >= $2 AND r.id < $3 AND r.created_at >= $4 AND r.created_at < $5
    AND ($6::text IS NULL OR r.store_id = $6)
    AND ($7::text IS NULL OR r.terminal_id = $7)
    AND ($8::text IS NULL OR r.operator_id = $8)
GROUP BY r.store_id, r.terminal_id, r.operator_id, p.wallet, t.kind, 6, 7

-- name: payments
SELECT
    id, created_at, merchant_order_no, status, method, wallet, amount, payable, amount_refunded, store_id, terminal_id,
    operator_id, account_id, channel_trade_no, reversal, review
FROM payments
WHERE merchant_id = $1 AND id >= $2 AND id < $3 AND created_at >= $4 AND created_at < $5
    AND ($6::text IS NULL OR store_id = $6)
    AND ($7::text IS NULL OR terminal_id = $7)
    AND ($8::text IS NULL OR operator_id = $8)
ORDER BY id
LIMIT $9

-- name: open_payments
SELECT
    id, created_at, merchant_order_no, status, method, wallet, amount, payable, amount_refunded, store_id, terminal_id,
    operator_id, account_id, channel_trade_no, reversal, review
FROM payments
WHERE merchant_id = $1 AND id >= $2 AND id < $3 AND created_at >= $4 AND created_at < $5
    AND ($6::text IS NULL OR store_id = $6)
    AND ($7::text IS NULL OR terminal_id = $7)
    AND ($8::text IS NULL OR operator_id = $8)
    AND (status IN ('processing', 'requires_action') OR reversal = 'pending' OR review IS NOT NULL)
ORDER BY id
LIMIT $9

-- name: refunds
SELECT
    r.id, r.created_at, r.payment_id, r.merchant_refund_no, p.merchant_order_no, r.status, p.method, p.wallet, r.amount,
    r.returned_to_customer, r.discount_returned, r.fee_returned, r.store_id, r.terminal_id, r.operator_id, r.account_id,
    r.channel_refund_no, r.review
FROM refunds r
CROSS JOIN LATERAL (
    SELECT merchant_order_no, method, wallet FROM payments
    WHERE id = r.payment_id AND merchant_id = r.merchant_id
    OFFSET 0
) p
WHERE r.merchant_id = $1 AND r.id >= $2 AND r.id < $3 AND r.created_at >= $4 AND r.created_at < $5
    AND ($6::text IS NULL OR r.store_id = $6)
    AND ($7::text IS NULL OR r.terminal_id = $7)
    AND ($8::text IS NULL OR r.operator_id = $8)
ORDER BY r.id
LIMIT $9

-- name: open_refunds
SELECT
    r.id, r.created_at, r.payment_id, r.merchant_refund_no, p.merchant_order_no, r.status, p.method, p.wallet, r.amount,
    r.returned_to_customer, r.discount_returned, r.fee_returned, r.store_id, r.terminal_id, r.operator_id, r.account_id,
    r.channel_refund_no, r.review
FROM refunds r
CROSS JOIN LATERAL (
    SELECT merchant_order_no, method, wallet FROM payments
    WHERE id = r.payment_id AND merchant_id = r.merchant_id
    OFFSET 0
) p
WHERE r.merchant_id = $1 AND r.id >= $2 AND r.id < $3 AND r.created_at >= $4 AND r.created_at < $5
    AND ($6::text IS NULL OR r.store_id = $6)
    AND ($7::text IS NULL OR r.terminal_id = $7)
    AND ($8::text IS NULL OR r.operator_id = $8)
    AND (r.status = 'pending' OR r.review IS NOT NULL)
ORDER BY r.id
LIMIT $9
