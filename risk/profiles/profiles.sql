-- Customers' profiles: following the events (following.py), and reading them for payments (reading.py).

-- name: take_turn
-- The watermark, for one worker at a time.  No row where another one has it.
SELECT followed_until FROM risk_profiling FOR UPDATE SKIP LOCKED

-- name: horizon
-- Up to when all events are visible to the NEXT statement of this transaction: an event has the time at which its
-- transaction began, so that none that is still to come is older than the oldest transaction now under way.  Whoever has
-- written nothing for minutes only reads (a backup); the gateway's own transactions end long before.
SELECT now() AS now, least(
    now() - make_interval(secs => $1),
    (
        SELECT min(a.xact_start)
        FROM pg_stat_activity a
        WHERE a.datname = current_database() AND a.backend_type = 'client backend' AND a.pid <> pg_backend_pid()
            AND (a.backend_xid IS NOT NULL OR a.xact_start > now() - interval '2 minutes')
    )
) AS horizon

-- name: first_event
-- Where following begins: a day before the first payment's, for ids carry the times of the processes that made them.
SELECT at - interval '1 day' FROM events ORDER BY payment_id LIMIT 1

-- name: changes
-- Captures and reversals of what was captured, from $1 until just before $2, the oldest first; no more than $3.  A
-- reversal comes with the hour of the capture that it takes back.  The customer is null where the till named none.
-- OFFSET 0 has each payment looked up by its key: a plan made while the tables were empty would go through a merchant's.
WITH e AS MATERIALIZED (
    SELECT payment_id, merchant_id, seq, type, at
    FROM events
    WHERE at >= $1 AND at < $2
        AND (type = 'payment.captured' OR (type = 'payment.reversed' AND from_status = 'succeeded'))
    ORDER BY at, payment_id, seq
    LIMIT $3
)
SELECT e.at, p.customer, e.type = 'payment.captured' AS is_capture, p.amount,
    extract(hour FROM c.at AT TIME ZONE m.timezone)::integer AS hour, coalesce(s.region, m.region) AS region,
    coalesce(m.customer_realm, m.id) AS realm, a.payer_hash
FROM e
CROSS JOIN LATERAL (
    SELECT customer, amount, store_id, attempt_seq FROM payments
    WHERE id = e.payment_id AND merchant_id = e.merchant_id
    OFFSET 0
) p
CROSS JOIN LATERAL (
    SELECT at FROM events
    WHERE payment_id = e.payment_id AND merchant_id = e.merchant_id AND type = 'payment.captured'
    OFFSET 0
) c
CROSS JOIN LATERAL (SELECT id, timezone, region, customer_realm FROM merchants WHERE id = e.merchant_id OFFSET 0) m
LEFT JOIN LATERAL (
    SELECT region FROM stores WHERE merchant_id = e.merchant_id AND store_id = p.store_id OFFSET 0
) s ON true
LEFT JOIN LATERAL (
    SELECT payer_hash FROM attempts
    WHERE payment_id = e.payment_id AND merchant_id = e.merchant_id AND seq = p.attempt_seq
    OFFSET 0
) a ON true
ORDER BY e.at, e.payment_id, e.seq

-- name: known_pairs
-- Of each payer, two of the customers for whom he has paid: where there are two, all of them are marked already.
SELECT w.realm, w.payer, k.customer
FROM unnest($1::text[], $2::bytea[]) AS w (realm, payer)
CROSS JOIN LATERAL (
    SELECT r.customer FROM risk_payers r WHERE r.realm = w.realm AND r.payer = w.payer ORDER BY r.customer LIMIT 2
) k

-- name: add_pairs
INSERT INTO risk_payers (realm, payer, customer)
SELECT * FROM unnest($1::text[], $2::bytea[], $3::bytea[])
ON CONFLICT DO NOTHING

-- name: habits
SELECT customer, payments, amount, highest, hours, regions, region_counts, payers, shared_payer
FROM risk_profiles WHERE customer = ANY ($1::bytea[])

-- name: save
-- Profiles as JSON, for arrays of arrays would come out of unnest() flat.
INSERT INTO risk_profiles (
    customer, payments, amount, highest, hours, regions, region_counts, payers, shared_payer
)
SELECT customer, payments, amount, highest, hours, regions, region_counts, payers, shared_payer
FROM jsonb_populate_recordset(NULL::risk_profiles, $1::jsonb)
ON CONFLICT (customer) DO UPDATE SET
    payments = excluded.payments,
    amount = excluded.amount,
    highest = excluded.highest,
    hours = excluded.hours,
    regions = excluded.regions,
    region_counts = excluded.region_counts,
    payers = excluded.payers,
    shared_payer = excluded.shared_payer

-- name: go_on
UPDATE risk_profiling SET followed_until = $1

-- name: profiles
-- One row for each of the waiting payments' customers, in their order.
SELECT coalesce(c.orders, 0) AS orders, coalesce(c.spent, 0) AS spent, c.first_at, c.last_at,
    coalesce(c.segments, '{}') AS segments, coalesce(p.payments, 0) AS payments, coalesce(p.amount, 0) AS amount,
    p.highest[1] AS highest, coalesce(p.hours, array_fill(0, ARRAY[24])) AS hours,
    coalesce(p.regions, '{}') AS regions, coalesce(p.payers, '{}') AS payers,
    coalesce(p.shared_payer, false) AS shared_payer
FROM unnest($1::bytea[]) WITH ORDINALITY AS r (customer, position)
LEFT JOIN customers c ON c.customer = r.customer
LEFT JOIN risk_profiles p ON p.customer = r.customer
ORDER BY r.position
