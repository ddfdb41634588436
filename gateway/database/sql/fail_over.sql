-- Commits a batch of payments that fail over: the attempt that surely moved no money ends as `unsent` or `refused`, the
-- next one begins at another account, and the worker leaves the payment to this process for as long as that one takes.
-- A row whose payment is no longer being taken on that attempt (a worker ended it or began to reverse it, the merchant
-- cancelled, a person looks at it), or whose time is over, writes nothing and comes back with applied = false.
-- Sending the same batch again is safe: nothing is written twice, and what an earlier sending has opened comes back as
-- applied while it still stands; one process alone takes a payment, so nobody else can have opened it.
-- No constant or parameter may bound the ids below (see outcome.sql).
WITH rows AS (
    SELECT * FROM unnest(
        $1::text[], $2::text[], $3::int[], $4::text[], $5::text[], $6::text[], $7::text[], $8::float8[], $9::float8[]
    ) AS r (
        payment_id, merchant_id, seq, ended_state, channel_code, account_id, routing, send_within_s, recover_after_s
    )
), held AS (
    SELECT p.id, p.merchant_id, p.status, p.attempt_seq, p.account_id, p.attempt_at, p.reversal, p.review, p.expires_at
    FROM payments p JOIN rows r ON p.id = r.payment_id AND p.merchant_id = r.merchant_id
    ORDER BY p.id
    FOR UPDATE OF p
), opened AS (
    UPDATE payments p SET
        attempt_seq = p.attempt_seq + 1,
        version = p.version + 1,
        account_id = r.account_id,
        attempt_at = now()
    FROM rows r JOIN held h ON h.id = r.payment_id
    WHERE p.id = r.payment_id AND p.merchant_id = r.merchant_id
        AND p.status = 'processing' AND p.attempt_seq = r.seq AND p.attempt_seq < 31
        AND p.reversal IS NULL AND p.review IS NULL AND p.expires_at > now()
    RETURNING p.id, p.merchant_id, p.attempt_seq, p.version, p.attempt_at
), standing AS (
    SELECT h.id, h.attempt_at FROM held h JOIN rows r ON r.payment_id = h.id
    WHERE h.status = 'processing' AND h.attempt_seq = r.seq + 1 AND h.account_id = r.account_id
        AND h.reversal IS NULL AND h.review IS NULL AND h.expires_at > now()
), ended AS (
    UPDATE attempts a SET state = r.ended_state, channel_code = r.channel_code, finished_at = now()
    FROM rows r JOIN opened o ON o.id = r.payment_id
    WHERE a.payment_id = r.payment_id AND a.merchant_id = r.merchant_id AND a.seq = r.seq
), attempt AS (
    INSERT INTO attempts (payment_id, merchant_id, seq, account_id, send_before, created_at, routing)
    SELECT
        o.id, o.merchant_id, o.attempt_seq, r.account_id, now() + make_interval(secs => r.send_within_s), now(),
        r.routing::json
    FROM rows r JOIN opened o ON o.id = r.payment_id
), task AS (
    UPDATE recovery_tasks t SET next_at = now() + make_interval(secs => r.recover_after_s), tries = 0
    FROM rows r JOIN opened o ON o.id = r.payment_id
    WHERE t.payment_id = r.payment_id AND t.purpose = 'resolve'
), event AS (
    INSERT INTO events (payment_id, merchant_id, seq, type, from_status, to_status, at)
    SELECT id, merchant_id, version, 'payment.attempt_opened', 'processing', 'processing', now()
    FROM opened
)
SELECT coalesce(o.id, s.id) IS NOT NULL AS applied, coalesce(o.attempt_at, s.attempt_at) AS at
FROM unnest($1::text[]) WITH ORDINALITY AS r (payment_id, position)
LEFT JOIN opened o ON o.id = r.payment_id
LEFT JOIN standing s ON s.id = r.payment_id
ORDER BY r.position
