-- Reads of payments, and the few writes that are not an intent or an outcome (store.py).

-- name: find
SELECT
    id, merchant_id, merchant_order_no, status, amount, payable, currency, method, wallet, account_id, attempt_seq,
    channel_trade_no, store_id, terminal_id, operator_id, metadata, replaces, risk_decision, risk_score, failure_code,
    failure_channel_code, reversal, review, amount_refunded, late_captures, created_at, completed_at, expires_at,
    qr_code, code_id, attempt_at, pay_until, refund_held, any_wallet, promoted,
    customer, risk_version
FROM payments WHERE id = $1 AND merchant_id = $2

-- name: merchant_of
SELECT merchant_id FROM payments WHERE id = $1

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
    qr_code, code_id, attempt_at, pay_until, refund_held, any_wallet, promoted,
    customer, risk_version
FROM payments
WHERE merchant_id = $1
    AND ($2::text IS NULL OR id < $2)
    AND ($3::text IS NULL OR status = $3)
    AND ($4::timestamptz IS NULL OR created_at >= $4)
    AND ($5::timestamptz IS NULL OR created_at < $5)
    AND ($6::text IS NULL OR store_id = $6)
    AND ($7::text IS NULL OR terminal_id = $7)
    AND ($8::text IS NULL OR operator_id = $8)
    AND ($9::text IS NULL OR method = $9)
    AND ($10::text IS NULL OR wallet = $10)
    AND ($11::text IS NULL OR reversal = $11)
    AND ($12::boolean IS NULL OR (review IS NOT NULL) = $12)
ORDER BY id DESC
LIMIT $13

-- name: whole_rows
-- Everything of these payments, their sealed requests too.
SELECT p.* FROM unnest($1::text[], $2::text[]) AS wanted (id, merchant_id)
JOIN payments p ON p.id = wanted.id AND p.merchant_id = wanted.merchant_id

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
-- From the beginning: the first look is at every attempt, however long ago it was over (late.py).
INSERT INTO recovery_tasks (payment_id, merchant_id, purpose, next_at, created_at)
VALUES ($1, $2, 'watch', now(), now())
ON CONFLICT (payment_id, purpose) DO UPDATE SET next_at = now(), tries = 0

-- name: mark_for_review
UPDATE payments SET
    review = $3,
    review_at = CASE WHEN review IS NULL THEN now() ELSE review_at END,
    reversal = CASE WHEN reversal = 'pending' THEN 'failed' ELSE reversal END
WHERE id = $1 AND merchant_id = $2 AND status IN ('processing', 'requires_action') AND attempt_seq = $4

-- name: drop_task
DELETE FROM recovery_tasks WHERE payment_id = $1 AND purpose = 'resolve'

-- name: request_reversal
UPDATE payments SET reversal = 'pending'
WHERE id = $1 AND merchant_id = $2 AND status = $3 AND refund_held = 0 AND reversal IS NULL AND review IS NULL

-- name: begin_reversal
-- Durable before a reversal leaves this machine: no capture is applied from here on until the channel refuses to reverse.
-- Not where the payment has failed over meanwhile: this reversal would be of an attempt that is over.
UPDATE payments SET reversal = 'pending'
WHERE id = $1 AND merchant_id = $2 AND attempt_seq = $3 AND status = 'processing' AND review IS NULL

-- name: wake
INSERT INTO recovery_tasks (payment_id, merchant_id, purpose, next_at, created_at)
VALUES ($1, $2, 'resolve', now(), now())
ON CONFLICT (payment_id, purpose) DO UPDATE SET next_at = now(), tries = 0

-- name: late_captures
SELECT amount, account_id, channel_trade_no, status, found_at, refunded_at
FROM late_captures WHERE payment_id = $1 AND merchant_id = $2
ORDER BY attempt_seq

-- name: redemptions
-- Of payments that have some.
SELECT r.* FROM unnest($1::text[], $2::text[]) AS wanted (id, merchant_id)
JOIN redemptions r ON r.payment_id = wanted.id AND r.merchant_id = wanted.merchant_id
ORDER BY r.payment_id, r.seq

-- name: risk_reasons
-- Of payments that were screened: the rules that hit.
SELECT d.payment_id, d.hits FROM unnest($1::text[], $2::text[]) AS wanted (id, merchant_id)
JOIN risk_decisions d ON d.payment_id = wanted.id AND d.merchant_id = wanted.merchant_id
WHERE d.hits IS NOT NULL

-- name: pricing
SELECT pricing FROM payments WHERE id = $1 AND merchant_id = $2

-- name: booked
SELECT seq, kind, debit, credit, amount, currency FROM transfers
WHERE payment_id = $1 AND merchant_id = $2 ORDER BY seq

-- name: fail_reversal
-- Only by the worker that has the task: another one may have asked again since, and have been told otherwise.
UPDATE payments SET reversal = 'failed'
WHERE id = $1 AND merchant_id = $2 AND reversal = 'pending' AND EXISTS (
    SELECT FROM recovery_tasks t
    WHERE t.payment_id = $1 AND t.purpose = 'resolve' AND t.lease_token = $3 AND t.created_at = $4
)

-- name: attempt
SELECT
    seq, account_id, state, send_before, created_at, pay_until, channel_trade_no, payer_hash, page_sealed, now() AS now
FROM attempts WHERE payment_id = $1 AND merchant_id = $2 AND seq = $3

-- name: attempts
SELECT seq, account_id, state, channel_code, created_at, finished_at, routing
FROM attempts WHERE payment_id = $1 AND merchant_id = $2 ORDER BY seq

-- name: open_attempt
-- One wallet's order for a code that any wallet can pay.  Only while no other one is open: of two that try at once, the
-- second finds the number of attempts raised.  Its channel may take money for it longer than for the code ($11).
WITH opened AS (
    UPDATE payments p SET
        attempt_seq = p.attempt_seq + 1,
        version = p.version + 1,
        wallet = $4,
        account_id = $5,
        channel_trade_no = NULL,
        attempt_at = now(),
        any_wallet = true,
        pay_until = greatest(least(p.expires_at, now() + make_interval(secs => $6)), now() + make_interval(secs => $11))
    WHERE p.id = $1 AND p.merchant_id = $2 AND p.attempt_seq = $3 AND p.attempt_seq < 31
        AND p.method = 'qrcode' AND p.status = 'requires_action' AND p.pay_until IS NULL
        AND p.reversal IS NULL AND p.review IS NULL
        AND p.expires_at > now() + make_interval(secs => $9)
        AND NOT EXISTS (
            SELECT FROM attempts a
            WHERE a.payment_id = $1 AND a.merchant_id = $2 AND a.seq = $3 AND a.state = 'open'
        )
    RETURNING p.id, p.merchant_id, p.attempt_seq, p.version, p.attempt_at, p.pay_until
), attempt AS (
    INSERT INTO attempts (
        payment_id, merchant_id, seq, account_id, send_before, pay_until, payer_hash, created_at, routing
    )
    SELECT id, merchant_id, attempt_seq, $5, now() + make_interval(secs => $7), pay_until, $8, now(), $12::text::json
    FROM opened
), event AS (
    INSERT INTO events (payment_id, merchant_id, seq, type, from_status, to_status, at)
    SELECT id, merchant_id, version, 'payment.attempt_opened', 'requires_action', 'requires_action', now()
    FROM opened
), task AS (
    INSERT INTO recovery_tasks (payment_id, merchant_id, purpose, next_at, created_at)
    SELECT id, merchant_id, 'resolve', least(now() + make_interval(secs => $10), pay_until), now()
    FROM opened
    ON CONFLICT (payment_id, purpose) DO UPDATE SET next_at = excluded.next_at, tries = 0
)
SELECT attempt_seq, attempt_at, pay_until FROM opened

-- name: close_attempt
-- That wallet's order holds no money and will have none; the code stays on display.  The order stays watched.
-- A process from before `any_wallet` may have opened its first attempt.
WITH closed AS (
    UPDATE payments p SET version = p.version + 1, pay_until = NULL, any_wallet = true
    WHERE p.id = $1 AND p.merchant_id = $2 AND p.attempt_seq = $3
        AND p.status = 'requires_action' AND p.attempt_at IS NOT NULL AND p.pay_until IS NOT NULL
        AND (p.any_wallet OR p.attempt_seq = 1)
        AND p.reversal IS DISTINCT FROM 'pending' AND p.review IS NULL
    RETURNING p.id, p.merchant_id, p.version, p.expires_at
), attempt AS (
    UPDATE attempts SET state = $4, channel_code = $5, finished_at = now()
    WHERE payment_id = $1 AND merchant_id = $2 AND seq = $3 AND EXISTS (SELECT FROM closed)
), event AS (
    INSERT INTO events (payment_id, merchant_id, seq, type, from_status, to_status, at)
    SELECT id, merchant_id, version, 'payment.attempt_closed', 'requires_action', 'requires_action', now()
    FROM closed
), task AS (
    UPDATE recovery_tasks SET next_at = greatest((SELECT expires_at FROM closed), now()), tries = 0
    WHERE payment_id = $1 AND purpose = 'resolve' AND EXISTS (SELECT FROM closed)
    RETURNING purpose
), watch AS (  -- behind the other task: whoever locks both does so in the order of their key
    INSERT INTO recovery_tasks (payment_id, merchant_id, purpose, next_at, created_at)
    SELECT id, merchant_id, 'watch', now() + interval '1 minute', now()
    FROM closed WHERE $4 = 'closed' AND (SELECT count(*) FROM task) >= 0
    ON CONFLICT (payment_id, purpose) DO UPDATE SET next_at = excluded.next_at, tries = 0
)
SELECT version FROM closed

-- name: renew_attempt
-- One more try to open its order: only one request at a time has it, and only while nobody was shown its page.
UPDATE attempts SET send_before = now() + make_interval(secs => $4)
WHERE payment_id = $1 AND merchant_id = $2 AND seq = $3
    AND state = 'open' AND page_sealed IS NULL AND send_before < now()

-- name: save_page
UPDATE attempts SET page_sealed = $4, channel_trade_no = coalesce($5, channel_trade_no)
WHERE payment_id = $1 AND merchant_id = $2 AND seq = $3 AND state = 'open'

-- name: note_capture
-- Paid, and not booked: a cancellation was pending.
UPDATE attempts SET state = 'captured', channel_trade_no = coalesce($4, channel_trade_no),
    payer_paid = $5, payer_hash = coalesce($6, payer_hash), paid_at = $7
WHERE payment_id = $1 AND merchant_id = $2 AND seq = $3 AND state = 'open'

-- name: rests
-- Whether the worker has looked at the payment since it was woken, and will not look again within so many seconds.
SELECT coalesce(bool_and(tries > 0 AND lease_until IS NULL AND next_at > now() + make_interval(secs => $2)), true)
FROM recovery_tasks WHERE payment_id = $1 AND purpose = 'resolve'
