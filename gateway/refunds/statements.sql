-- Refunds (store.py, commits.py).  Whatever changes a refund's status or a payment's sums holds the payment's row lock.
-- A refund is pending as long as it has no `completed_at`.  One that is known by its key is asked for that, not for its
-- status: the planner would walk all that is pending (refunds_pending) to find it.

-- name: find
SELECT *, now() AS read_at FROM refunds WHERE id = $1 AND merchant_id = $2

-- name: find_seq
SELECT *, now() AS read_at FROM refunds WHERE payment_id = $1 AND seq = $2 AND attempt_seq = $3

-- name: of_payment
SELECT *, now() AS read_at FROM refunds WHERE payment_id = $1 AND merchant_id = $2
ORDER BY seq

-- name: list
SELECT *, now() AS read_at FROM refunds
WHERE merchant_id = $1
    AND ($2::text IS NULL OR id < $2)
    AND ($3::text IS NULL OR status = $3)
    AND ($4::timestamptz IS NULL OR created_at >= $4)
    AND ($5::timestamptz IS NULL OR created_at < $5)
ORDER BY id DESC
LIMIT $6

-- name: list_of_payment
-- Found by their payment (OFFSET 0 keeps it so): the index of all refunds of the merchant seems as good to the planner.
SELECT *, now() AS read_at
FROM (SELECT * FROM refunds WHERE payment_id = $7 OFFSET 0) r
WHERE merchant_id = $1
    AND ($2::text IS NULL OR id < $2)
    AND ($3::text IS NULL OR status = $3)
    AND ($4::timestamptz IS NULL OR created_at >= $4)
    AND ($5::timestamptz IS NULL OR created_at < $5)
ORDER BY id DESC
LIMIT $6

-- name: find_number
SELECT refund_id FROM refund_numbers WHERE merchant_id = $1 AND merchant_refund_no = $2

-- name: find_key
SELECT refund_id FROM refund_keys WHERE merchant_id = $1 AND key = $2

-- name: bind_number
INSERT INTO refund_numbers (merchant_id, merchant_refund_no, refund_id) VALUES ($1, $2, $3)
ON CONFLICT DO NOTHING
RETURNING refund_id

-- name: bind_key
INSERT INTO refund_keys (merchant_id, key, refund_id) VALUES ($1, $2, $3)
ON CONFLICT DO NOTHING
RETURNING refund_id

-- name: lock
SELECT
    id, merchant_id, status, reversal, review, amount, payable, currency, wallet, account_id, attempt_seq, refund_held,
    refund_count, completed_at, now() AS now
FROM payments WHERE id = $1 AND merchant_id = $2
FOR UPDATE

-- name: booked
-- What the capture booked; the postings of refunds come behind these.
SELECT seq, kind, debit, credit, amount, currency FROM transfers
WHERE payment_id = $1 AND merchant_id = $2 AND seq < 100 ORDER BY seq

-- name: redemptions
SELECT * FROM redemptions WHERE payment_id = $1 AND merchant_id = $2 ORDER BY seq

-- name: return_redemptions
SELECT campaign_id, day, slice, fen, count FROM return_redemptions($1, $2, $3, $4)

-- name: create
WITH payment AS (
    UPDATE payments SET refund_held = refund_held + $6, refund_count = $4, version = version + 1
    WHERE id = $2 AND merchant_id = $3
    RETURNING version, status
), refund AS (
    INSERT INTO refunds (
        id, payment_id, merchant_id, seq, merchant_refund_no, amount, attempt_seq, account_id, returned_to_customer,
        discount_returned, fee_returned, funding, currency, reason, store_id, terminal_id, operator_id, metadata,
        next_at, created_at
    ) VALUES (
        $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12::json, $13, $14, $15, $16, $17, $18::json, $19, $20
    )
)
INSERT INTO events (payment_id, merchant_id, seq, type, from_status, to_status, at, refund_id)
SELECT $2, $3, version, 'refund.created', status, status, $20, $1 FROM payment

-- name: add_task
-- One for all refunds of a payment: its lease keeps them in their order, and within the channel's rate.
INSERT INTO recovery_tasks (payment_id, merchant_id, purpose, next_at, created_at)
VALUES ($1, $2, 'refund', $3, now())
ON CONFLICT (payment_id, purpose) DO UPDATE SET next_at = least(recovery_tasks.next_at, excluded.next_at)

-- name: complete
-- The refund's end, its event and its postings; nothing where it has ended before.  A task that was put off for long
-- (a person had to look) is looked at now: there may be nothing left to do.
WITH refund AS (
    UPDATE refunds SET
        status = $3,
        channel_refund_no = coalesce($4, channel_refund_no),
        failure_code = $5,
        failure_channel_code = $6,
        review = NULL,
        completed_at = now()
    WHERE id = $1 AND merchant_id = $2 AND completed_at IS NULL
    RETURNING payment_id, merchant_id, amount, status
), payment AS (
    UPDATE payments p SET
        amount_refunded = amount_refunded + CASE r.status WHEN 'succeeded' THEN r.amount ELSE 0 END,
        refund_held = refund_held - CASE r.status WHEN 'failed' THEN r.amount ELSE 0 END,
        version = version + 1
    FROM refund r
    WHERE p.id = r.payment_id AND p.merchant_id = r.merchant_id
    RETURNING
        p.id, p.merchant_id, p.version, p.status, p.notify_url, p.promoted, p.amount_refunded = p.amount AS is_full
), event AS (
    INSERT INTO events (payment_id, merchant_id, seq, type, from_status, to_status, at, id, refund_id)
    SELECT id, merchant_id, version, 'refund.' || $3::text, status, status, now(), $7, $1 FROM payment
), outbox AS (
    INSERT INTO webhook_outbox (event_id, merchant_id, payment_id, seq)
    SELECT $7, p.merchant_id, p.id, p.version
    FROM payment p
    WHERE p.notify_url IS NOT NULL OR EXISTS (
        SELECT FROM webhook_endpoints w WHERE w.merchant_id = p.merchant_id AND w.status = 'enabled'
    )
), task AS (
    UPDATE recovery_tasks SET next_at = now()
    WHERE payment_id = (SELECT id FROM payment) AND purpose = 'refund' AND next_at > now() + interval '1 hour'
), posting AS (
    INSERT INTO transfers (payment_id, merchant_id, seq, kind, debit, credit, amount, currency, booked_at)
    SELECT p.id, p.merchant_id, t.seq, t.kind, t.debit, t.credit, t.amount, t.currency, now()
    FROM unnest($8::int[], $9::text[], $10::text[], $11::text[], $12::bigint[], $13::text[])
        AS t (seq, kind, debit, credit, amount, currency)
    CROSS JOIN payment p
)
SELECT promoted, is_full FROM payment

-- name: note
-- What a channel said of a refund that is still pending, or that it has contradicted since; only while it is as it was
-- read ($5: pending), for whoever ended it meanwhile knew more.
UPDATE refunds SET
    channel_refund_no = coalesce($3, channel_refund_no),
    review = coalesce($4, review),
    review_at = CASE WHEN review IS NULL AND $4 IS NOT NULL THEN now() ELSE review_at END
WHERE id = $1 AND merchant_id = $2 AND (completed_at IS NULL) = $5
    AND (channel_refund_no IS DISTINCT FROM coalesce($3, channel_refund_no)
        OR review IS DISTINCT FROM coalesce($4, review))

-- name: ask
-- Durable before the request leaves: who takes over then asks how it stands, and the next refund keeps its distance.
UPDATE refunds SET
    asked_at = coalesce(asked_at, now()), last_asked_at = now() + make_interval(secs => $3)
WHERE id = $1 AND merchant_id = $2 AND completed_at IS NULL
RETURNING last_asked_at

-- name: asked
UPDATE refunds SET last_asked_at = now() WHERE id = $1 AND merchant_id = $2

-- name: unsent
-- Only what this worker noted itself ($5): another one may have asked meanwhile, and its request may be on its way.
UPDATE refunds SET asked_at = $3, last_asked_at = $4
WHERE id = $1 AND merchant_id = $2 AND completed_at IS NULL AND last_asked_at = $5

-- name: put_off
-- Only from when it was due as it was read ($5): who woke it meanwhile (a notification, a person) knows more.
UPDATE refunds SET next_at = now() + make_interval(secs => $3), tries = tries + $4
WHERE id = $1 AND merchant_id = $2 AND completed_at IS NULL AND next_at = $5

-- name: wake
UPDATE refunds SET next_at = now() WHERE id = $1 AND merchant_id = $2 AND completed_at IS NULL

-- name: next_due
-- By the payment alone: the index of all refunds of a merchant seems as good to the planner.
SELECT min(next_at) FROM refunds WHERE payment_id = $1 AND completed_at IS NULL
