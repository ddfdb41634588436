-- The worker's tasks, late captures and gauges (tasks.py, late.py, housekeeping.py).  All times are the database's.

-- name: lease
-- Takes due tasks that nobody holds; the token fences a worker that slept past its lease.
UPDATE recovery_tasks t SET
    lease_until = now() + make_interval(secs => $2), lease_token = t.lease_token + 1, tries = t.tries + 1
FROM (
    SELECT payment_id, purpose FROM recovery_tasks
    WHERE next_at <= now() AND (lease_until IS NULL OR lease_until < now())
    ORDER BY next_at
    LIMIT $1
    FOR UPDATE SKIP LOCKED
) due
WHERE t.payment_id = due.payment_id AND t.purpose = due.purpose
RETURNING t.payment_id, t.merchant_id, t.purpose, t.tries, t.lease_token, t.created_at, now() AS now

-- name: put_off
UPDATE recovery_tasks SET next_at = now() + make_interval(secs => $4), lease_until = NULL
WHERE payment_id = $1 AND purpose = $2 AND lease_token = $3 AND created_at = $5

-- name: defer
UPDATE recovery_tasks SET next_at = now() + make_interval(secs => $4), lease_until = NULL, tries = tries - 1
WHERE payment_id = $1 AND purpose = $2 AND lease_token = $3 AND created_at = $5

-- name: put_off_until
UPDATE recovery_tasks SET next_at = $5, lease_until = NULL
WHERE payment_id = $1 AND purpose = $2 AND lease_token = $3 AND created_at = $4

-- name: finish
-- A task that was made anew counts its leases from the beginning: its time tells it from the one before.
DELETE FROM recovery_tasks WHERE payment_id = $1 AND purpose = $2 AND lease_token = $3 AND created_at = $4

-- name: attempt
SELECT seq, account_id, state, send_before, created_at FROM attempts
WHERE payment_id = $1 AND merchant_id = $2 AND seq = $3

-- name: record_late_capture
INSERT INTO late_captures (payment_id, merchant_id, attempt_seq, account_id, channel_trade_no, amount, found_at)
VALUES ($1, $2, $3, $4, $5, $6, now())
ON CONFLICT DO NOTHING
RETURNING payment_id

-- name: touch_payment
UPDATE payments SET late_captures = late_captures + $3, version = version + 1
WHERE id = $1 AND merchant_id = $2
RETURNING version, status

-- name: add_event
INSERT INTO events (payment_id, merchant_id, seq, type, from_status, to_status, at)
VALUES ($1, $2, $3, $4, $5, $5, now())

-- name: add_transfer
INSERT INTO transfers (payment_id, merchant_id, seq, kind, debit, credit, amount, currency, booked_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, now())

-- name: add_give_back
INSERT INTO recovery_tasks (payment_id, merchant_id, purpose, next_at, created_at)
VALUES ($1, $2, 'give_back', now(), now())
ON CONFLICT DO NOTHING

-- name: late_capture
SELECT attempt_seq, account_id, channel_trade_no, amount, found_at FROM late_captures
WHERE payment_id = $1 AND merchant_id = $2 AND status = 'pending'
ORDER BY attempt_seq LIMIT 1

-- name: close_late_capture
UPDATE late_captures SET status = $4, refunded_at = CASE WHEN $4 = 'refunded' THEN now() END
WHERE payment_id = $1 AND merchant_id = $2 AND attempt_seq = $3 AND status = 'pending'
RETURNING payment_id

-- name: gauges
SELECT
    (SELECT count(*) FROM recovery_tasks WHERE purpose = 'resolve') AS unresolved,
    (SELECT extract(epoch FROM now() - min(created_at))::float8 FROM recovery_tasks WHERE purpose = 'resolve') AS age_s,
    (SELECT count(*) FROM payments WHERE review IS NOT NULL)
        + (SELECT count(*) FROM late_captures WHERE status = 'review')
        + (SELECT count(*) FROM refunds WHERE review IS NOT NULL) AS reviews,
    (SELECT count(*) FROM refunds WHERE status = 'pending') AS refunds_pending,
    (SELECT extract(epoch FROM now() - min(created_at))::float8 FROM refunds
        WHERE status = 'pending' AND review IS NULL) AS refunds_age_s
