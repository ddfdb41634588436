-- What the audit reads of PostgreSQL (database.py), and the row that it leaves.  A page is a range of payment ids.

-- name: payments
SELECT
    p.id, p.merchant_id, p.merchant_order_no, p.status, p.version, p.amount, p.payable, p.currency, p.method, p.wallet,
    p.attempt_seq, p.reversal, p.review, p.amount_refunded, p.refund_held, p.late_captures, p.created_at, p.expires_at, o.payment_id AS order_owner,
    p.customer, p.promoted
FROM (SELECT * FROM payments WHERE id > $1 AND id <= $2 ORDER BY id LIMIT $3) p
LEFT JOIN order_numbers o ON o.merchant_id = p.merchant_id AND o.merchant_order_no = p.merchant_order_no
ORDER BY p.id

-- name: promoted_payments
-- Those that took something of a campaign, for their sums alone.
SELECT
    id, merchant_id, merchant_order_no, status, version, amount, payable, currency, method, wallet, attempt_seq, reversal,
    review, amount_refunded, refund_held, late_captures, created_at, expires_at, NULL AS order_owner, customer, promoted
FROM payments
WHERE id > $1 AND id <= $2 AND promoted
ORDER BY id
LIMIT $3

-- name: attempts
SELECT payment_id, merchant_id, seq, account_id, state, created_at, pay_until FROM attempts
WHERE payment_id > $1 AND payment_id <= $2

-- name: callbacks
SELECT
    payment_id, account_id, notification_id, order_no, refund_no, received_at, result, applied_at, settled_at
FROM callbacks
WHERE payment_id > $1 AND payment_id <= $2

-- name: events
-- Events of webhook endpoints stand in the same table, under the endpoint's id.
SELECT payment_id, merchant_id, seq, type, from_status, to_status, at, refund_id FROM events
WHERE payment_id > $1 AND payment_id <= $2 AND starts_with(payment_id, 'pay_')
ORDER BY payment_id, merchant_id, seq

-- name: transfers
SELECT payment_id, merchant_id, seq, kind, debit, credit, amount, currency, booked_at FROM transfers
WHERE payment_id > $1 AND payment_id <= $2

-- name: late_captures
SELECT payment_id, merchant_id, attempt_seq, account_id, amount, status, found_at, refunded_at FROM late_captures
WHERE payment_id > $1 AND payment_id <= $2

-- name: refunds
SELECT
    r.payment_id, r.merchant_id, r.id, r.seq, r.attempt_seq, r.account_id, r.merchant_refund_no, r.amount,
    r.returned_to_customer, r.discount_returned, r.fee_returned, r.funding, r.status, r.review, r.asked_at, r.next_at,
    r.completed_at, n.refund_id AS number_owner
FROM refunds r
LEFT JOIN refund_numbers n ON n.merchant_id = r.merchant_id AND n.merchant_refund_no = r.merchant_refund_no
WHERE r.payment_id > $1 AND r.payment_id <= $2

-- name: tasks
SELECT payment_id, merchant_id, purpose, next_at, created_at, coalesce(lease_until > now(), false) AS leased
FROM recovery_tasks
WHERE payment_id > $1 AND payment_id <= $2

-- name: redemptions
SELECT
    payment_id, merchant_id, seq, campaign_id, day, slice, discount, fee_off, funding, uses, coupon_id, returns_budget,
    returns_limits
FROM redemptions
WHERE payment_id > $1 AND payment_id <= $2
ORDER BY payment_id, merchant_id, seq

-- name: slices
-- Of one day, or of all ($1 null).
SELECT campaign_id, day::text AS day, slice::integer AS slice, granted, used, granted_count, used_count
FROM campaign_slices
WHERE $1::date IS NULL OR day = $1
ORDER BY campaign_id, day, slice

-- name: epoch
SELECT epoch FROM pool_state

-- name: present_slices
SELECT s.campaign_id, s.day, s.slice::integer AS slice, s.granted - s.used AS room
FROM campaign_slices s JOIN campaigns c ON c.id = s.campaign_id
WHERE s.day = (now() AT TIME ZONE c.timezone)::date
ORDER BY s.campaign_id, s.slice

-- name: uses
-- Of one day, or of all ($1 null).
SELECT key, campaign_id, scope COLLATE "C" AS scope, day::text AS day, used, used_count
FROM campaign_uses
WHERE $1::date IS NULL OR day = $1
ORDER BY key, campaign_id, scope COLLATE "C", day

-- name: customers
SELECT customer, orders, spent, first_at FROM customers ORDER BY customer

-- name: campaigns
SELECT id, budget, budget_per_day, count, count_per_day, timezone FROM campaigns ORDER BY id

-- name: campaign_versions
SELECT campaign_id, version, document, created_at FROM campaign_versions ORDER BY campaign_id, version

-- name: coupons_redeemed
SELECT count(*) FROM coupons WHERE payment_id > $1 AND payment_id <= $2

-- name: coupons_astray
-- Coupons that are redeemed by a payment that did not take them, and redemptions of payments that stand whose coupon is
-- not theirs.  A coupon may have come back with a full refund.  Of the payments above $1 up to $2.
WITH taken AS (
    SELECT r.coupon_id, r.payment_id, r.campaign_id,
        p.status IN ('processing', 'requires_action', 'succeeded') AND p.amount_refunded < p.amount AS keeps
    FROM redemptions r
    JOIN payments p ON p.id = r.payment_id AND p.merchant_id = r.merchant_id
    WHERE r.coupon_id IS NOT NULL AND r.payment_id > $1 AND r.payment_id <= $2 AND p.id > $1 AND p.id <= $2
)
SELECT c.id AS coupon_id, c.payment_id, 'redeemed by a payment that did not take it' AS why
FROM coupons c
LEFT JOIN taken t ON t.coupon_id = c.id AND t.payment_id = c.payment_id AND t.campaign_id = c.campaign_id
WHERE c.payment_id > $1 AND c.payment_id <= $2 AND t.coupon_id IS NULL
UNION ALL
SELECT t.coupon_id, t.payment_id,
    CASE
        WHEN c.id IS NULL THEN 'there is no such coupon of the campaign'
        ELSE concat('the payment stands, but the coupon is redeemed by ', coalesce(c.payment_id, 'nothing'))
    END
FROM taken t
LEFT JOIN coupons c ON c.id = t.coupon_id AND c.campaign_id = t.campaign_id
WHERE t.keeps AND c.payment_id IS DISTINCT FROM t.payment_id

-- name: coupon_stock
SELECT coalesce(s.campaign_id, c.campaign_id) AS campaign_id, coalesce(s.taken, 0) AS taken, coalesce(c.out, 0) AS out
FROM coupon_stock s
FULL JOIN (SELECT campaign_id, count(*) AS out FROM coupons GROUP BY campaign_id) c ON c.campaign_id = s.campaign_id

-- name: accounts
SELECT id, channel, fee_rate_millionths, terms, updated_at FROM channel_accounts ORDER BY id

-- name: retired
SELECT month FROM retired_months

-- name: paid
-- How many payments are to be walked through, and the snapshot's time.
SELECT count(*) AS payments, now() AS now FROM payments WHERE id > $1 AND id <= $2

-- name: counts
-- Of the numbers and keys whose payments lie above $1 up to $2, and refunds above $3 up to $4.
SELECT
    (SELECT count(*) FROM order_numbers WHERE payment_id > $1 AND payment_id <= $2) AS order_numbers,
    (SELECT count(*) FROM idempotency_keys WHERE payment_id > $1 AND payment_id <= $2) AS idempotency_keys,
    (SELECT count(*) FROM refund_numbers WHERE refund_id > $3 AND refund_id <= $4) AS refund_numbers,
    (SELECT count(*) FROM refund_keys WHERE refund_id > $3 AND refund_id <= $4) AS refund_keys

-- name: order_numbers_astray
SELECT o.merchant_id, o.merchant_order_no, o.payment_id
FROM order_numbers o
LEFT JOIN payments p
    ON p.id = o.payment_id AND p.merchant_id = o.merchant_id AND p.merchant_order_no = o.merchant_order_no
        AND p.id > $1 AND p.id <= $2
WHERE o.payment_id > $1 AND o.payment_id <= $2 AND p.id IS NULL

-- name: idempotency_keys_astray
SELECT k.merchant_id, k.key, k.payment_id
FROM idempotency_keys k
LEFT JOIN payments p ON p.id = k.payment_id AND p.merchant_id = k.merchant_id AND p.id > $1 AND p.id <= $2
WHERE k.payment_id > $1 AND k.payment_id <= $2 AND p.id IS NULL

-- name: refund_numbers_astray
SELECT n.merchant_id, n.merchant_refund_no, n.refund_id
FROM refund_numbers n
LEFT JOIN refunds r
    ON r.id = n.refund_id AND r.merchant_id = n.merchant_id AND r.merchant_refund_no = n.merchant_refund_no
        AND r.id > $1 AND r.id <= $2
WHERE n.refund_id > $1 AND n.refund_id <= $2 AND r.id IS NULL

-- name: refund_keys_astray
SELECT k.merchant_id, k.key, k.refund_id
FROM refund_keys k
LEFT JOIN refunds r ON r.id = k.refund_id AND r.merchant_id = k.merchant_id AND r.id > $1 AND r.id <= $2
WHERE k.refund_id > $1 AND k.refund_id <= $2 AND r.id IS NULL

-- name: receivables
-- What each channel account owes, per day of Beijing, before fees and in fees.
SELECT
    substr(entry.account, length('channel_receivable:') + 1) AS account_id,
    (t.booked_at AT TIME ZONE 'Asia/Shanghai')::date AS day,
    coalesce(sum(entry.amount) FILTER (WHERE t.kind NOT IN ('fee', 'fee_reversed', 'refund_fee')), 0)::bigint AS gross,
    coalesce(sum(entry.amount) FILTER (WHERE t.kind IN ('fee', 'fee_reversed', 'refund_fee')), 0)::bigint AS fees
FROM transfers t
CROSS JOIN LATERAL (VALUES (t.debit, t.amount), (t.credit, -t.amount)) AS entry (account, amount)
WHERE starts_with(entry.account, 'channel_receivable:')
GROUP BY 1, 2

-- name: verdicts
SELECT payment_id, kind, refund_id, attempt_seq, verdict FROM review_verdicts
WHERE payment_id > $1 AND payment_id <= $2

-- name: deliveries
-- Webhook deliveries above $1 up to $2 (ids of events), each beside the event that it tells of and its place in the
-- queue.  An event's id was made within an hour of its time, $3 and $4 are that much wider.
SELECT
    d.event_id, d.merchant_id, d.endpoint_id, d.status, d.body, d.created_at, q.event_id IS NOT NULL AS queued,
    e.payment_id, e.refund_id, e.type, e.seq, e.at, e.to_status
FROM webhook_deliveries d
LEFT JOIN webhook_queue q ON q.endpoint_id = d.endpoint_id AND q.event_id = d.event_id
LEFT JOIN events e ON e.id = d.event_id AND e.merchant_id = d.merchant_id AND e.at >= $3 AND e.at < $4
WHERE d.event_id > $1 AND d.event_id <= $2

-- name: queue_astray
SELECT q.event_id, q.endpoint_id
FROM webhook_queue q
LEFT JOIN webhook_deliveries d
    ON d.event_id = q.event_id AND d.merchant_id = q.merchant_id AND d.endpoint_id = q.endpoint_id
WHERE d.event_id IS NULL

-- name: outbox
SELECT o.event_id, o.payment_id, e.at
FROM webhook_outbox o
LEFT JOIN events e
    ON e.payment_id = o.payment_id AND e.merchant_id = o.merchant_id AND e.seq = o.seq AND e.id = o.event_id

-- name: untold
-- Events that nobody was told of, and that are not about to be told, although somebody wants to be: $1 are the types as
-- they are written, $2 what they are called outside.  An endpoint counts where it has not been changed since ($3 before).
-- Of the time from $4 until $5.
SELECT e.id AS event_id, e.payment_id, e.type, target.endpoint_id
FROM events e
JOIN unnest($1::text[], $2::text[]) AS told (written, public) ON told.written = e.type
CROSS JOIN LATERAL (
    SELECT w.id AS endpoint_id FROM webhook_endpoints w
    WHERE w.merchant_id = e.merchant_id AND w.status = 'enabled'
        AND greatest(w.created_at, w.updated_at) < e.at - $3::interval
        AND (w.types IS NULL OR told.public = ANY (w.types))
    UNION ALL
    SELECT p.merchant_id FROM payments p
    WHERE p.id = e.payment_id AND p.merchant_id = e.merchant_id AND p.notify_url IS NOT NULL
) target
WHERE e.id IS NOT NULL AND e.at >= $4 AND e.at < $5
    AND NOT EXISTS (
        SELECT FROM webhook_deliveries d
        WHERE d.event_id = e.id AND d.merchant_id = e.merchant_id AND d.endpoint_id = target.endpoint_id
    )
    AND NOT EXISTS (SELECT FROM webhook_outbox o WHERE o.event_id = e.id)

-- name: events_told
SELECT count(*) FROM events WHERE id IS NOT NULL AND type = ANY ($1::text[]) AND at >= $2 AND at < $3

-- name: stirring
-- What tells a quiet stack: nothing to resolve or give back, nothing that is just being told, and nothing new.  Refunds
-- that a person has to look at are asked about once a day; every other one is looked at within minutes.  A webhook
-- endpoint that is dead has its next tries in its own time, as has a notification whose order is not known yet.
SELECT
    (SELECT count(*) FROM recovery_tasks WHERE purpose IN ('resolve', 'give_back', 'reward')
        OR (purpose = 'refund' AND next_at < now() + interval '1 hour')) AS open,
    (SELECT count(*) FROM callbacks WHERE applied_at IS NULL AND (tries = 0 OR next_at <= now()))
        + (SELECT count(*) FROM webhook_outbox WHERE retry_at IS NULL OR retry_at <= now())
        + (SELECT count(*) FROM webhook_queue WHERE next_at <= now()) AS due,
    concat((SELECT max(id) FROM payments), ' ', (SELECT max(id) FROM refunds)) AS newest

-- name: screened
SELECT count(*) FROM risk_decisions WHERE payment_id > $1 AND payment_id <= $2

-- name: decisions_astray
-- Payments and decisions that do not belong together.  A payment that was refused at once needs no case; one that failed
-- before any channel was asked was refused.
WITH screened AS (
    SELECT id, merchant_id, risk_version, risk_decision, risk_score, status, failure_code,
        status = 'failed' AND attempt_seq = 0 AS is_refused
    FROM payments
    WHERE id > $1 AND id <= $2 AND (risk_version IS NOT NULL OR risk_decision <> 'approve' OR risk_score <> 0
        OR failure_code IN ('risk_declined', 'risk_unavailable'))
), decided AS (
    SELECT * FROM risk_decisions WHERE payment_id > $1 AND payment_id <= $2
), judged AS (
    SELECT coalesce(p.id, d.payment_id) AS payment_id, CASE
        WHEN d.payment_id IS NULL THEN concat('no decision, but the payment says ', p.risk_decision)
        WHEN p.id IS NULL THEN 'a decision, but no payment that says it was screened'
        WHEN p.risk_version IS DISTINCT FROM d.version
            THEN concat('decided by version ', d.version, '; the payment says ', p.risk_version)
        WHEN p.risk_decision <> d.verdict OR p.risk_score <> d.score
            THEN concat('decided ', d.verdict, ' at ', d.score, '; the payment says ', p.risk_decision, ' at ',
                p.risk_score)
        WHEN d.verdict = 'decline' AND NOT p.is_refused THEN concat('declined, but the payment is ', p.status)
        WHEN d.beyond_tolerance AND NOT p.is_refused
            THEN concat('beyond the tolerance, but the payment is ', p.status)
        WHEN p.failure_code = 'risk_declined' AND d.verdict <> 'decline' THEN 'refused as declined, but it was not'
        WHEN p.failure_code = 'risk_unavailable' AND NOT d.beyond_tolerance
            THEN 'refused as beyond the tolerance, but it was not'
        WHEN d.verdict = 'review' AND NOT p.is_refused AND NOT EXISTS (
            SELECT FROM risk_cases c
            WHERE c.payment_id = p.id AND c.merchant_id = p.merchant_id AND c.kind = 'review'
        ) THEN 'to be reviewed, but there is no case'
    END AS why
    FROM screened p FULL JOIN decided d ON d.payment_id = p.id AND d.merchant_id = p.merchant_id
)
SELECT payment_id, why FROM judged WHERE why IS NOT NULL
ORDER BY payment_id

-- name: leave_run
INSERT INTO audit_runs
    (audited_at, kind, first_day, last_day, payments, compared, mismatches, findings, agreed)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
