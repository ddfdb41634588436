-- Reads of payments, and the few writes that are not an intent or an outcome (store.py).

-- name: find
SELECT
    id, merchant_id, merchant_order_no, status, amount, payable, currency, method, wallet, account_id, attempt_seq,
    channel_trade_no, store_id, terminal_id, operator_id, metadata, replaces, risk_decision, risk_score, failure_code,
    failure_channel_code, reversal, review, amount_refunded, late_captures, created_at, completed_at, expires_at,
    qr_code, code_id, attempt_at, pay_until, refund_held
FROM payments WHERE id = $1 AND merchant_id = $2

-- name: find_order_no
SELECT payment_id FROM order_numbers WHERE merchant_id = $1 AND merchant_order_no = $2

-- name: find_key
SELECT payment_id FROM idempotency_keys WHERE merchant_id = $1 AND key = $2

-- name: find_replacement
SELECT payment_id FROM replacements WHERE merchant_id = $1 AND replaced_id = $2

-- name: bind_key
INSERT INTO idempotency_keys (merchant_id, key, payment_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING

-- name: list
SELECT
    id, merchant_id, merchant_order_no, status, amount, payable, currency, method, wallet, account_id, attempt_seq,
    channel_trade_no, store_id, terminal_id, operator_id, metadata, replaces, risk_decision, risk_score, failure_code,
    failure_channel_code, reversal, review, amount_refunded, late_captures, created_at, completed_at, expires_at,
    qr_code, code_id, attempt_at, pay_until, refund_held
FROM payments
WHERE merchant_id = $1
    AND ($2::text IS NULL OR id < $2)
    AND ($3::text IS NULL OR status = $3)
    AND ($4::timestamptz IS NULL OR created_at >= $4)
    AND ($5::timestamptz IS NULL OR created_at < $5)
    AND ($6::text IS NULL OR store_id = $6)
    AND ($7::text IS NULL OR terminal_id = $7)
ORDER BY id DESC
LIMIT $8

-- name: request_sealed
SELECT request_sealed FROM payments WHERE id = $1 AND merchant_id = $2

-- name: request_fingerprint
SELECT request_fingerprint FROM payments WHERE id = $1 AND merchant_id = $2

-- name: hand_over
-- A task that is due already was woken meanwhile, by a cancel: it stays so.
UPDATE recovery_tasks SET next_at = CASE WHEN next_at <= now() THEN next_at ELSE now() + make_interval(secs => $2) END,
    tries = $3
WHERE payment_id = $1 AND purpose = 'resolve'

-- name: watch
INSERT INTO recovery_tasks (payment_id, merchant_id, purpose, next_at, created_at)
VALUES ($1, $2, 'watch', now(), now())
ON CONFLICT (payment_id, purpose) DO UPDATE SET next_at = now()

-- name: mark_for_review
UPDATE payments SET review = $3, reversal = CASE WHEN reversal = 'pending' THEN 'failed' ELSE reversal END
WHERE id = $1 AND merchant_id = $2 AND status = 'processing'

-- name: drop_task
DELETE FROM recovery_tasks WHERE payment_id = $1 AND purpose = 'resolve'

-- name: request_reversal
UPDATE payments SET reversal = 'pending'
WHERE id = $1 AND merchant_id = $2 AND status = $3 AND refund_held = 0 AND reversal IS NULL AND review IS NULL

-- name: begin_reversal
-- Durable before a reversal leaves this machine: no capture is applied from here on until the channel refuses to reverse.
UPDATE payments SET reversal = 'pending'
WHERE id = $1 AND merchant_id = $2 AND status = 'processing' AND review IS NULL

-- name: wake
INSERT INTO recovery_tasks (payment_id, merchant_id, purpose, next_at, created_at)
VALUES ($1, $2, 'resolve', now(), now())
ON CONFLICT (payment_id, purpose) DO UPDATE SET next_at = now()

-- name: late_captures
SELECT amount, account_id, channel_trade_no, status, found_at, refunded_at
FROM late_captures WHERE payment_id = $1 AND merchant_id = $2
ORDER BY attempt_seq

-- name: booked
SELECT seq, kind, debit, credit, amount, currency FROM transfers
WHERE payment_id = $1 AND merchant_id = $2 ORDER BY seq

-- name: fail_reversal
UPDATE payments SET reversal = 'failed' WHERE id = $1 AND merchant_id = $2 AND reversal = 'pending'
