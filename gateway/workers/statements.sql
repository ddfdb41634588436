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
RETURNING t.payment_id, t.merchant_id, t.purpose, t.tries, t.lease_token, t.created_at, t.asked_at, now() AS now

-- name: put_off
-- A task that was woken since it was leased ($6) stays due: what woke it may have come after the worker looked.
UPDATE recovery_tasks SET
    next_at = CASE WHEN next_at > $6 THEN next_at ELSE now() + make_interval(secs => $4) END, lease_until = NULL
WHERE payment_id = $1 AND purpose = $2 AND lease_token = $3 AND created_at = $5

-- name: defer
UPDATE recovery_tasks SET
    next_at = CASE WHEN next_at > $6 THEN next_at ELSE now() + make_interval(secs => $4) END, lease_until = NULL,
    tries = tries - 1
WHERE payment_id = $1 AND purpose = $2 AND lease_token = $3 AND created_at = $5

-- name: put_off_until
UPDATE recovery_tasks SET next_at = $5, lease_until = NULL
WHERE payment_id = $1 AND purpose = $2 AND lease_token = $3 AND created_at = $4

-- name: asking
-- Durable before the request leaves: whoever takes over knows that one may be on its way.
UPDATE recovery_tasks SET asked_at = now() + make_interval(secs => $5)
WHERE payment_id = $1 AND purpose = $2 AND lease_token = $3 AND created_at = $4

-- name: answered
UPDATE recovery_tasks SET asked_at = $5
WHERE payment_id = $1 AND purpose = $2 AND lease_token = $3 AND created_at = $4

-- name: begin_anew
-- What is done now is something else: its tries count from here.
UPDATE recovery_tasks SET next_at = now() + make_interval(secs => $5), lease_until = NULL, tries = 0
WHERE payment_id = $1 AND purpose = $2 AND lease_token = $3 AND created_at = $4

-- name: finish
-- A task that was made anew counts its leases from the beginning: its time tells it from the one before.
DELETE FROM recovery_tasks WHERE payment_id = $1 AND purpose = $2 AND lease_token = $3 AND created_at = $4

-- name: finish_unless_woken
-- The same, but for a task that was woken since it was leased ($5).
WITH woken AS (
    UPDATE recovery_tasks SET lease_until = NULL
    WHERE payment_id = $1 AND purpose = $2 AND lease_token = $3 AND created_at = $4 AND next_at > $5
)
DELETE FROM recovery_tasks
WHERE payment_id = $1 AND purpose = $2 AND lease_token = $3 AND created_at = $4 AND next_at <= $5

-- name: attempts_without_late_capture
SELECT a.seq, a.account_id, a.state, a.created_at, a.pay_until FROM attempts a
WHERE a.payment_id = $1 AND a.merchant_id = $2 AND NOT EXISTS (
    SELECT FROM late_captures l
    WHERE l.payment_id = a.payment_id AND l.merchant_id = a.merchant_id AND l.attempt_seq = a.seq
)
ORDER BY a.seq

-- name: hold_payment
SELECT status, attempt_seq FROM payments WHERE id = $1 AND merchant_id = $2 FOR UPDATE

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
WITH event AS (
    INSERT INTO events (payment_id, merchant_id, seq, type, from_status, to_status, at, id)
    VALUES ($1, $2, $3, $4, $5, $5, now(), $6)
)
INSERT INTO webhook_outbox (event_id, merchant_id, payment_id, seq)
SELECT $6, p.merchant_id, p.id, $3 FROM payments p
WHERE p.id = $1 AND p.merchant_id = $2 AND (p.notify_url IS NOT NULL OR EXISTS (
    SELECT FROM webhook_endpoints w WHERE w.merchant_id = p.merchant_id AND w.status = 'enabled'
))

-- name: add_transfer
INSERT INTO transfers (payment_id, merchant_id, seq, kind, debit, credit, amount, currency, booked_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, now())

-- name: add_give_back
-- One task for all that came late: where it is there, it is woken, for somebody may be about to finish it.
INSERT INTO recovery_tasks (payment_id, merchant_id, purpose, next_at, created_at)
VALUES ($1, $2, 'give_back', now(), now())
ON CONFLICT (payment_id, purpose) DO UPDATE SET next_at = now()

-- name: late_capture
SELECT l.attempt_seq, l.account_id, l.channel_trade_no, l.amount, a.created_at AS attempt_at
FROM late_captures l
JOIN attempts a ON a.payment_id = l.payment_id AND a.merchant_id = l.merchant_id AND a.seq = l.attempt_seq
WHERE l.payment_id = $1 AND l.merchant_id = $2 AND l.status = 'pending'
ORDER BY l.attempt_seq LIMIT 1

-- name: close_late_capture
UPDATE late_captures SET
    status = $4,
    refunded_at = CASE WHEN $4 = 'refunded' THEN now() END,
    review_at = CASE WHEN $4 = 'review' THEN now() END
WHERE payment_id = $1 AND merchant_id = $2 AND attempt_seq = $3 AND status = 'pending'
RETURNING payment_id

-- name: untold
-- Whether there are frauds, or complaints, of which the velocity counters have not been told.
SELECT
    EXISTS (SELECT FROM risk_labels WHERE fraud AND told_at IS NULL) AS frauds,
    EXISTS (SELECT FROM risk_complaints WHERE told_at IS NULL) AS complaints

-- name: gauges
SELECT
    t.unresolved, t.age_s, t.codes_shown,
    (SELECT count(*) FROM payments WHERE review IS NOT NULL)
        + (SELECT count(*) FROM late_captures WHERE status = 'review')
        + (SELECT count(*) FROM refunds WHERE review IS NOT NULL)
        + (SELECT count(*) FROM callbacks WHERE result IN ('review', 'orphan') AND settled_at IS NULL) AS reviews,
    (SELECT count(*) FROM refunds WHERE status = 'pending') AS refunds_pending,
    (SELECT extract(epoch FROM now() - min(coalesce(asked_at, next_at)))::float8 FROM refunds
        WHERE status = 'pending' AND review IS NULL AND coalesce(asked_at, next_at) <= now()) AS refunds_age_s
FROM (
    SELECT
        count(*) FILTER (WHERE coalesce(late_from, created_at) <= now()) AS unresolved,
        extract(epoch FROM now() - min(coalesce(late_from, created_at))
            FILTER (WHERE coalesce(late_from, created_at) <= now()))::float8 AS age_s,
        count(*) FILTER (WHERE late_from > now()) AS codes_shown
    FROM recovery_tasks WHERE purpose = 'resolve'
) t
