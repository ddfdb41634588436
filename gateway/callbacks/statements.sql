-- The inbox of notifications (inbox.py).  All times are the database's.

-- name: take_in
-- Writes a notification unless it is there already, or its order was given to another account.
WITH attempt AS MATERIALIZED (
    SELECT account_id FROM attempts WHERE payment_id = $1 AND seq = $2
), taken AS (
    INSERT INTO callbacks (
        payment_id, account_id, notification_id, order_no, refund_no, report_sealed, body_sealed, next_at
    )
    SELECT $1, $3, $4, $5, $6, $7, $8, now() + make_interval(secs => $9)
    WHERE coalesce((SELECT account_id FROM attempt) = $3, true)
    ON CONFLICT DO NOTHING
    RETURNING received_at
)
SELECT (SELECT account_id FROM attempt) AS account_id, (SELECT received_at FROM taken) AS received_at

-- name: origin
SELECT merchant_id, account_id FROM attempts WHERE payment_id = $1 AND seq = $2

-- name: lease
-- Takes what is due; a worker that dies with it leaves it to the next one.  Applying twice does no harm.
UPDATE callbacks c SET next_at = now() + make_interval(secs => $2), tries = c.tries + 1
FROM (
    SELECT payment_id, account_id, notification_id FROM callbacks
    WHERE applied_at IS NULL AND next_at <= now()
    ORDER BY next_at
    LIMIT $1
    FOR UPDATE SKIP LOCKED
) due
WHERE c.payment_id = due.payment_id AND c.account_id = due.account_id AND c.notification_id = due.notification_id
RETURNING c.payment_id, c.account_id, c.notification_id, c.report_sealed, c.received_at, c.tries,
    extract(epoch FROM now() - c.received_at)::float8 AS age_s

-- name: put_off
-- `result` and `applied_at` are set together; a condition on the latter would have the planner walk all that is due.
UPDATE callbacks SET next_at = now() + make_interval(secs => $4)
WHERE payment_id = $1 AND account_id = $2 AND notification_id = $3 AND result IS NULL

-- name: finish
UPDATE callbacks SET applied_at = now(), result = $4
WHERE payment_id = $1 AND account_id = $2 AND notification_id = $3 AND result IS NULL

-- name: wake
-- The worker looks at the payment at once: what was told concerns something that it is bringing to an end.  One that is
-- at it now looks once more, for it may have looked before.
UPDATE recovery_tasks SET next_at = now()
WHERE payment_id = $1 AND purpose = ANY ($2::text[]) AND (next_at > now() OR lease_until > now())

-- name: waiting
-- How many are not applied yet, as far as it is worth counting, and since when the oldest of these waits.
SELECT count(*) AS waiting, extract(epoch FROM now() - min(received_at))::float8 AS age_s
FROM (SELECT received_at FROM callbacks WHERE applied_at IS NULL ORDER BY next_at LIMIT $1) w

-- name: drop_bodies
UPDATE callbacks c SET body_sealed = NULL
FROM (
    SELECT payment_id, account_id, notification_id FROM callbacks
    WHERE body_sealed IS NOT NULL AND received_at < now() - make_interval(days => $1)
    ORDER BY received_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
) old
WHERE c.payment_id = old.payment_id AND c.account_id = old.account_id AND c.notification_id = old.notification_id
