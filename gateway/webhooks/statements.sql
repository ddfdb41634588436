-- The webhooks room (announcing.py, relay.py, dispatch.py, results.py, disabling.py, endpoints.py, events.py).
-- All times are the database's.

-- name: announce
-- An event that merchants are told of, and its place in the outbox where this merchant wants to be told.
WITH event AS (
    INSERT INTO events (payment_id, merchant_id, seq, type, from_status, to_status, at, id, refund_id)
    VALUES ($1, $2, $3, $4, $5, $6, now(), $7, $8)
)
INSERT INTO webhook_outbox (event_id, merchant_id, payment_id, seq)
SELECT $7, $2, $1, $3
WHERE EXISTS (SELECT FROM webhook_endpoints WHERE merchant_id = $2 AND status = 'enabled')
    OR EXISTS (SELECT FROM payments WHERE id = $1 AND merchant_id = $2 AND notify_url IS NOT NULL)

-- name: add_event
-- An event for one endpoint only: it does not go through the outbox.
INSERT INTO events (payment_id, merchant_id, seq, type, to_status, at, id) VALUES ($1, $2, $3, $4, $5, now(), $6)
RETURNING at

-- name: outbox_waits
-- By the index, as take_outbox: an EXISTS would read the pages that earlier rows have left.
SELECT (
    SELECT event_id FROM webhook_outbox WHERE retry_at IS NULL OR retry_at <= now() ORDER BY event_id LIMIT 1
) IS NOT NULL

-- name: take_outbox
-- Events and payments are looked up row by row (OFFSET 0 keeps it so): a long outbox would have all events read.
SELECT o.event_id AS id, o.merchant_id, e.type, e.payment_id, e.refund_id, e.seq, e.to_status, e.at, p.notify_url
FROM (
    SELECT * FROM webhook_outbox
    WHERE retry_at IS NULL OR retry_at <= now()
    ORDER BY event_id
    LIMIT $1
    FOR UPDATE SKIP LOCKED
) o
CROSS JOIN LATERAL (
    SELECT * FROM events WHERE payment_id = o.payment_id AND merchant_id = o.merchant_id AND seq = o.seq OFFSET 0
) e
LEFT JOIN LATERAL (
    SELECT notify_url FROM payments WHERE id = o.payment_id AND merchant_id = o.merchant_id OFFSET 0
) p ON true

-- name: payments
SELECT p.* FROM unnest($1::text[], $2::text[]) AS r (id, merchant_id)
JOIN payments p ON p.id = r.id AND p.merchant_id = r.merchant_id

-- name: drop_outbox
DELETE FROM webhook_outbox WHERE event_id = ANY ($1::text[])

-- name: put_off_outbox
UPDATE webhook_outbox SET retry_at = now() + make_interval(secs => $2) WHERE event_id = ANY ($1::text[])

-- name: endpoints_of_merchants
SELECT id, merchant_id, url, types FROM webhook_endpoints
WHERE merchant_id = ANY ($1::text[]) AND status = 'enabled'

-- name: add_deliveries
WITH delivery AS (
    INSERT INTO webhook_deliveries (event_id, merchant_id, endpoint_id, url, body)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
    ON CONFLICT DO NOTHING
    RETURNING event_id, merchant_id, endpoint_id
)
INSERT INTO webhook_queue (endpoint_id, event_id, merchant_id)
SELECT endpoint_id, event_id, merchant_id FROM delivery
ON CONFLICT DO NOTHING

-- name: lines
-- The lines behind a place, in order, and for how long the first of each is due (below zero: not yet): one look at the
-- index for each line.
WITH RECURSIVE lines AS (
    (
        SELECT endpoint_id, again, next_at, 1 AS place FROM webhook_queue
        WHERE (endpoint_id, again) > ($1, $2)
        ORDER BY endpoint_id, again, next_at LIMIT 1
    )
    UNION ALL
    SELECT next.endpoint_id, next.again, next.next_at, lines.place + 1
    FROM lines CROSS JOIN LATERAL (
        SELECT q.endpoint_id, q.again, q.next_at FROM webhook_queue q
        WHERE (q.endpoint_id, q.again) > (lines.endpoint_id, lines.again)
        ORDER BY q.endpoint_id, q.again, q.next_at LIMIT 1
    ) next
    WHERE lines.place < $3
)
SELECT endpoint_id, again, extract(epoch FROM now() - next_at)::float8 AS overdue_s FROM lines

-- name: lease
-- Takes the oldest due deliveries of each line, as many as it has hands; the token fences a worker that slept past its
-- lease.
WITH due AS (
    SELECT found.endpoint_id, found.event_id
    FROM unnest($1::text[], $2::boolean[], $3::int[]) AS line (endpoint_id, again, hands)
    CROSS JOIN LATERAL (
        SELECT q.endpoint_id, q.event_id FROM webhook_queue q
        WHERE q.endpoint_id = line.endpoint_id AND q.again = line.again
            AND q.next_at <= now() AND (q.lease_until IS NULL OR q.lease_until < now())
        ORDER BY q.next_at
        LIMIT line.hands
        FOR UPDATE SKIP LOCKED
    ) found
), leased AS (
    UPDATE webhook_queue q SET
        lease_until = now() + make_interval(secs => $4), lease_token = q.lease_token + 1
    FROM due WHERE q.endpoint_id = due.endpoint_id AND q.event_id = due.event_id
    RETURNING q.endpoint_id, q.event_id, q.merchant_id, q.again, q.tries, q.lease_token
)
SELECT
    l.endpoint_id, l.event_id, l.merchant_id, l.again, l.tries, l.lease_token, d.url, d.body,
    e.status AS endpoint_status, e.secret_sealed,
    CASE WHEN e.previous_until > now() THEN e.previous_secret_sealed END AS previous_secret_sealed,
    m.webhook_secret_sealed
FROM leased l
JOIN webhook_deliveries d
    ON d.event_id = l.event_id AND d.merchant_id = l.merchant_id AND d.endpoint_id = l.endpoint_id
LEFT JOIN webhook_endpoints e ON e.id = l.endpoint_id
LEFT JOIN merchants m ON m.id = l.endpoint_id

-- name: record
-- Writes what became of a batch of tries: the delivery leaves the queue or waits for its next try, the try goes to the
-- log, and each endpoint's time of failing begins or ends.  A row whose lease was lost writes nothing.
WITH rows AS (
    SELECT * FROM unnest(
        $1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::smallint[], $7::text[], $8::int[], $9::float8[]
    ) AS r (event_id, endpoint_id, merchant_id, lease_token, verdict, http_status, error, duration_ms, wait_s)
), held AS (
    SELECT r.* FROM rows r
    JOIN webhook_queue q
        ON q.endpoint_id = r.endpoint_id AND q.event_id = r.event_id AND q.lease_token = r.lease_token
    ORDER BY q.endpoint_id, q.event_id
    FOR UPDATE OF q
), done AS (
    DELETE FROM webhook_queue q USING held h
    WHERE q.endpoint_id = h.endpoint_id AND q.event_id = h.event_id AND h.verdict <> 'pending'
), put_off AS (
    UPDATE webhook_queue q SET
        again = true, tries = q.tries + 1, next_at = now() + make_interval(secs => h.wait_s),
        lease_until = NULL, lease_token = q.lease_token + 1  -- the same row sent once more writes nothing
    FROM held h
    WHERE q.endpoint_id = h.endpoint_id AND q.event_id = h.event_id AND h.verdict = 'pending'
), delivery AS (
    UPDATE webhook_deliveries d SET
        status = h.verdict,
        tries = d.tries + (h.verdict <> 'cancelled')::int,
        finished_at = CASE WHEN h.verdict <> 'pending' THEN now() END
    FROM held h
    WHERE d.event_id = h.event_id AND d.merchant_id = h.merchant_id AND d.endpoint_id = h.endpoint_id
    RETURNING d.event_id, d.merchant_id, d.endpoint_id, d.tries, h.verdict, h.http_status, h.error, h.duration_ms
), attempt AS (
    INSERT INTO webhook_attempts (event_id, merchant_id, endpoint_id, try, at, http_status, error, duration_ms)
    SELECT event_id, merchant_id, endpoint_id, tries, now() - make_interval(secs => duration_ms / 1000.0),
        http_status, error, duration_ms
    FROM delivery WHERE verdict <> 'cancelled'
), seen AS (
    SELECT endpoint_id, bool_or(verdict = 'succeeded') AS succeeded FROM held
    WHERE verdict <> 'cancelled' GROUP BY endpoint_id
), turned AS (
    SELECT e.id, s.succeeded FROM webhook_endpoints e JOIN seen s ON s.endpoint_id = e.id
    WHERE (e.failing_since IS NULL) <> s.succeeded
    ORDER BY e.id
    FOR UPDATE OF e
), endpoint AS (
    UPDATE webhook_endpoints e SET failing_since = CASE WHEN NOT t.succeeded THEN now() END
    FROM turned t WHERE e.id = t.id
)
SELECT
    h.event_id IS NOT NULL AS applied,
    CASE WHEN NOT s.succeeded THEN extract(epoch FROM now() - e.failing_since)::float8 END AS failing_s
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS r (event_id, endpoint_id, position)
LEFT JOIN held h ON h.event_id = r.event_id AND h.endpoint_id = r.endpoint_id
LEFT JOIN seen s ON s.endpoint_id = r.endpoint_id
LEFT JOIN webhook_endpoints e ON e.id = r.endpoint_id
ORDER BY r.position

-- name: disable
UPDATE webhook_endpoints SET status = 'disabled', disabled_reason = $2, updated_at = now()
WHERE id = $1 AND status = 'enabled'
RETURNING merchant_id

-- name: next_seq
-- The number of an endpoint's next event, under the lock of its row.
SELECT coalesce(max(seq), 0) + 1 FROM events WHERE payment_id = $1 AND merchant_id = $2

-- name: backlog
-- What is still to be sent, the first event that is in no line yet, and for how long the first delivery has been due; so
-- many of each are looked at, and no more.
SELECT o.waiting + q.waiting AS waiting, o.first_event, q.overdue_s
FROM (
    SELECT count(*) AS waiting, min(event_id) FILTER (WHERE retry_at IS NULL OR retry_at <= now()) AS first_event
    FROM (SELECT event_id, retry_at FROM webhook_outbox LIMIT $1) events
) o, (
    SELECT count(*) AS waiting, coalesce(extract(epoch FROM now() - min(next_at)), 0)::float8 AS overdue_s
    FROM (SELECT next_at FROM webhook_queue LIMIT $1) deliveries
) q

-- name: lock_merchant
SELECT FROM merchants WHERE id = $1 FOR NO KEY UPDATE

-- name: count_endpoints
SELECT count(*) FROM webhook_endpoints WHERE merchant_id = $1 AND status <> 'deleted'

-- name: add_endpoint
INSERT INTO webhook_endpoints (id, merchant_id, url, description, types, secret_sealed)
VALUES ($1, $2, $3, $4, $5, $6)
RETURNING *

-- name: list_endpoints
SELECT * FROM webhook_endpoints
WHERE merchant_id = $1 AND status <> 'deleted' AND ($2::text IS NULL OR id < $2)
ORDER BY id DESC
LIMIT $3

-- name: find_endpoint
SELECT * FROM webhook_endpoints WHERE id = $1 AND merchant_id = $2 AND status <> 'deleted'

-- name: lock_endpoint
SELECT * FROM webhook_endpoints WHERE id = $1 AND merchant_id = $2 AND status <> 'deleted' FOR UPDATE

-- name: change_endpoint
-- Switched on again, an endpoint is judged anew.
UPDATE webhook_endpoints SET
    description = $3, types = $4, status = $5, disabled_reason = $6,
    failing_since = CASE WHEN $5 = 'enabled' AND status <> 'enabled' THEN NULL ELSE failing_since END,
    updated_at = now()
WHERE id = $1 AND merchant_id = $2
RETURNING *

-- name: delete_endpoint
UPDATE webhook_endpoints SET status = 'deleted', updated_at = now()
WHERE id = $1 AND merchant_id = $2 AND status <> 'deleted'

-- name: rotate_secret
UPDATE webhook_endpoints SET
    previous_secret_sealed = CASE WHEN $4::float8 > 0 THEN secret_sealed END,
    previous_until = CASE WHEN $4::float8 > 0 THEN now() + make_interval(secs => $4::float8) END,
    secret_sealed = $3, updated_at = now()
WHERE id = $1 AND merchant_id = $2 AND status <> 'deleted'
RETURNING *

-- name: list_events
SELECT id, merchant_id, type, payment_id, refund_id, seq, to_status, at FROM events
WHERE merchant_id = $1 AND id IS NOT NULL
    AND ($2::text IS NULL OR id < $2)
    AND ($3::text IS NULL OR id >= $3)
    AND ($4::text IS NULL OR id < $4)
    AND type = ANY ($5::text[])
    AND ($6::timestamptz IS NULL OR at >= $6)
    AND ($7::timestamptz IS NULL OR at < $7)
ORDER BY id DESC
LIMIT $8

-- name: list_events_of_payment
-- Found by their payment (OFFSET 0 keeps it so): by the order of the list, all events of the merchant would be read.
SELECT id, merchant_id, type, payment_id, refund_id, seq, to_status, at
FROM (SELECT * FROM events WHERE payment_id = $2 AND merchant_id = $1 OFFSET 0) e
WHERE id IS NOT NULL
    AND ($3::text IS NULL OR id < $3)
    AND type = ANY ($4::text[])
    AND ($5::timestamptz IS NULL OR at >= $5)
    AND ($6::timestamptz IS NULL OR at < $6)
    AND ($7::text IS NULL OR refund_id = $7)
ORDER BY id DESC
LIMIT $8

-- name: payment_of_refund
SELECT payment_id FROM refunds WHERE id = $1 AND merchant_id = $2

-- name: find_event
SELECT id, merchant_id, type, payment_id, refund_id, seq, to_status, at FROM events WHERE merchant_id = $1 AND id = $2

-- name: bodies
-- What was sent of events, by event; all deliveries of an event say the same.
SELECT r.event_id, d.body
FROM unnest($1::text[]) AS r (event_id)
CROSS JOIN LATERAL (
    SELECT body FROM webhook_deliveries WHERE event_id = r.event_id AND merchant_id = $2 LIMIT 1
) d

-- name: deliveries
SELECT d.endpoint_id, d.url, d.status, d.tries, d.created_at, d.finished_at, q.next_at
FROM webhook_deliveries d
LEFT JOIN webhook_queue q ON q.endpoint_id = d.endpoint_id AND q.event_id = d.event_id
WHERE d.event_id = $1 AND d.merchant_id = $2
ORDER BY d.created_at, d.endpoint_id

-- name: attempts
SELECT endpoint_id, try, at, http_status, error, duration_ms FROM webhook_attempts
WHERE event_id = $1 AND merchant_id = $2
ORDER BY endpoint_id, try

-- name: notify_url
SELECT notify_url FROM payments WHERE id = $1 AND merchant_id = $2

-- name: send_again
-- New deliveries are made; those that are over begin anew; those that still wait are due now.  The token begins where no
-- earlier lease of the same delivery can have come.
WITH delivery AS (
    INSERT INTO webhook_deliveries (event_id, merchant_id, endpoint_id, url, body)
    SELECT $1, $2, r.endpoint_id, r.url, $5 FROM unnest($3::text[], $4::text[]) AS r (endpoint_id, url)
    ON CONFLICT (event_id, merchant_id, endpoint_id) DO UPDATE SET status = 'pending', finished_at = NULL
)
INSERT INTO webhook_queue (endpoint_id, event_id, merchant_id, lease_token)
SELECT r.endpoint_id, $1, $2, (extract(epoch FROM clock_timestamp()) * 1000)::bigint
FROM unnest($3::text[]) AS r (endpoint_id)
ON CONFLICT (endpoint_id, event_id) DO UPDATE SET next_at = now()

-- name: endpoints_by_id
SELECT * FROM webhook_endpoints WHERE id = ANY ($1::text[])
