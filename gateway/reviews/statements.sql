-- What is in review, and the verdicts on it (reading.py, desk.py and the verdicts).  Each kind is read by the index of what
-- is in review, and of nothing else; $1 and $2 bound the id, $3 is how many.

-- name: payment
SELECT
    id, review AS reason, coalesce(review_at, created_at) AS since, id AS payment_id, merchant_id,
    NULL::text AS refund_id, attempt_seq, account_id, status, amount, payable AS expected, now() AS read_at
FROM payments
WHERE review IS NOT NULL AND id >= $1 AND id < $2
ORDER BY id DESC
LIMIT $3

-- name: refund
SELECT
    id, review AS reason, coalesce(review_at, created_at) AS since, payment_id, merchant_id, id AS refund_id, seq,
    attempt_seq, account_id, status, amount, returned_to_customer AS expected, now() AS read_at
FROM refunds
WHERE review IS NOT NULL AND id >= $1 AND id < $2
ORDER BY id DESC
LIMIT $3

-- name: late_capture
SELECT * FROM (
    SELECT
        'late_' || substr(payment_id, 5) || 'A'
            || substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', attempt_seq + 1, 1) AS id,
        'not_returned' AS reason, coalesce(review_at, found_at) AS since, payment_id, merchant_id,
        NULL::text AS refund_id, attempt_seq, account_id, status, amount, amount AS expected, now() AS read_at
    FROM late_captures
    WHERE status = 'review'
) l
WHERE id >= $1 AND id < $2
ORDER BY id DESC
LIMIT $3

-- name: callback
SELECT * FROM (
    SELECT
        'call_' || substr(payment_id, 5) || '_'
            || left(encode(sha256(convert_to(account_id || ':' || notification_id, 'UTF8')), 'hex'), 16) AS id,
        result AS reason, applied_at AS since, payment_id, account_id, notification_id, order_no, refund_no,
        report_sealed, now() AS read_at
    FROM callbacks
    WHERE result IN ('review', 'orphan') AND settled_at IS NULL
) c
WHERE id >= $1 AND id < $2
ORDER BY id DESC
LIMIT $3

-- name: attempt
SELECT merchant_id, account_id, created_at FROM attempts WHERE payment_id = $1 AND seq = $2

-- name: verdicts
SELECT
    id, review_id, kind, payment_id, refund_id, attempt_seq, reason, verdict, decided_by, note, channel_said, at
FROM review_verdicts
WHERE review_id = ANY ($1::text[])
ORDER BY id

-- name: add_verdict
INSERT INTO review_verdicts (
    id, review_id, kind, payment_id, refund_id, attempt_seq, reason, verdict, decided_by, note, channel_said
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::json)
RETURNING
    id, review_id, kind, payment_id, refund_id, attempt_seq, reason, verdict, decided_by, note, channel_said, at

-- name: take_in_hand
-- False while another transaction settles this review.
SELECT pg_try_advisory_xact_lock(hashtextextended('review ' || $1, 0))

-- name: hold_payment
SELECT status FROM payments WHERE id = $1 AND merchant_id = $2 FOR UPDATE

-- name: note_settled
-- The event of a verdict, under the lock of the payment's row.
WITH payment AS (
    UPDATE payments SET version = version + 1 WHERE id = $1 AND merchant_id = $2
    RETURNING version, status
)
INSERT INTO events (payment_id, merchant_id, seq, type, from_status, to_status, at, refund_id)
SELECT $1, $2, version, 'payment.review_settled', status, status, now(), $3 FROM payment

-- name: release_payment
UPDATE payments SET review = NULL, review_at = NULL
WHERE id = $1 AND merchant_id = $2 AND review = $3 AND attempt_seq = $4

-- name: release_refund
-- Only as it was read: whoever has asked the channel since knows more.
UPDATE refunds SET review = NULL, review_at = NULL
WHERE id = $1 AND merchant_id = $2 AND review = $3 AND status = $4 AND last_asked_at IS NOT DISTINCT FROM $5

-- name: release_late_capture
UPDATE late_captures SET
    status = $4, review_at = NULL, refunded_at = CASE WHEN $4 = 'refunded' THEN now() END
WHERE payment_id = $1 AND merchant_id = $2 AND attempt_seq = $3 AND status = 'review'
RETURNING amount, account_id

-- name: touch_payment
UPDATE payments SET version = version + 1 WHERE id = $1 AND merchant_id = $2 RETURNING version, status

-- name: add_transfer
INSERT INTO transfers (payment_id, merchant_id, seq, kind, debit, credit, amount, currency, booked_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, now())

-- name: resolve
INSERT INTO recovery_tasks (payment_id, merchant_id, purpose, next_at, created_at)
VALUES ($1, $2, 'resolve', now(), now())
ON CONFLICT (payment_id, purpose) DO UPDATE SET next_at = now(), tries = 0

-- name: watch
-- From the beginning: the first look is at every attempt (gateway.workers.late).
INSERT INTO recovery_tasks (payment_id, merchant_id, purpose, next_at, created_at)
VALUES ($1, $2, 'watch', now(), now())
ON CONFLICT (payment_id, purpose) DO UPDATE SET next_at = now(), tries = 0

-- name: return_again
-- A new task counts its refusals anew; one that another late capture has is woken.
INSERT INTO recovery_tasks (payment_id, merchant_id, purpose, next_at, created_at)
VALUES ($1, $2, 'give_back', now(), now())
ON CONFLICT (payment_id, purpose) DO UPDATE SET next_at = now()

-- name: settle_told
-- What told of the same matter is settled with it.
UPDATE callbacks SET settled_at = now()
WHERE payment_id = $1 AND order_no = $2 AND refund_no IS NOT DISTINCT FROM $3
    AND result = 'review' AND settled_at IS NULL

-- name: settle_callback
UPDATE callbacks SET settled_at = now()
WHERE payment_id = $1 AND account_id = $2 AND notification_id = $3 AND result = $4 AND settled_at IS NULL

-- name: apply_callback_again
UPDATE callbacks SET result = NULL, applied_at = NULL, tries = 0, next_at = now()
WHERE payment_id = $1 AND account_id = $2 AND notification_id = $3 AND result = $4 AND settled_at IS NULL
