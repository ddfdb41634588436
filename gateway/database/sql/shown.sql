-- Commits a batch of codes that are about to be shown: what they hold, until when the channel takes money for them, the
-- event and its place in the outbox; the recovery task waits until the worker is to ask for the first time.
-- A row whose payment is no longer being taken (a worker closed it, or the merchant cancelled), or whose time is over,
-- writes nothing and comes back with applied = false.  Sending the same batch again is safe: nothing is written twice.
-- Channels give a code at least 61 seconds from its attempt (SHOWN_AT_LEAST in channels/wire.py), which is more than is
-- left of a short one that has failed over.
-- No constant or parameter may bound the ids below (see outcome.sql).
WITH rows AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::text[], $5::float8[], $6::text[])
        AS r (payment_id, merchant_id, seq, qr_code, look_after_s, event_id)
), held AS (
    SELECT p.id, p.merchant_id
    FROM payments p JOIN rows r ON p.id = r.payment_id AND p.merchant_id = r.merchant_id
    ORDER BY p.id
    FOR UPDATE OF p
), shown AS (
    UPDATE payments p SET
        status = 'requires_action', version = p.version + 1, qr_code = r.qr_code,
        pay_until = greatest(p.expires_at, p.attempt_at + interval '61 seconds')
    FROM rows r JOIN held h ON h.id = r.payment_id
    WHERE p.id = r.payment_id AND p.merchant_id = r.merchant_id
        AND p.status = 'processing' AND p.attempt_seq = r.seq
        AND p.reversal IS NULL AND p.review IS NULL AND p.expires_at > now()
    RETURNING p.id, p.merchant_id, p.version, p.notify_url, p.pay_until
), attempt AS (
    UPDATE attempts a SET pay_until = s.pay_until
    FROM rows r JOIN shown s ON s.id = r.payment_id
    WHERE a.payment_id = r.payment_id AND a.merchant_id = r.merchant_id AND a.seq = r.seq
), task AS (
    UPDATE recovery_tasks t SET
        next_at = least(now() + make_interval(secs => r.look_after_s), s.pay_until), tries = 0, late_from = s.pay_until
    FROM rows r JOIN shown s ON s.id = r.payment_id
    WHERE t.payment_id = r.payment_id AND t.purpose = 'resolve'
), event AS (
    INSERT INTO events (payment_id, merchant_id, seq, type, from_status, to_status, at, id)
    SELECT s.id, s.merchant_id, s.version, 'payment.code_shown', 'processing', 'requires_action', now(), r.event_id
    FROM rows r JOIN shown s ON s.id = r.payment_id
), outbox AS (
    INSERT INTO webhook_outbox (event_id, merchant_id, payment_id, seq)
    SELECT r.event_id, s.merchant_id, s.id, s.version
    FROM rows r JOIN shown s ON s.id = r.payment_id
    WHERE s.notify_url IS NOT NULL OR EXISTS (
        SELECT FROM webhook_endpoints w WHERE w.merchant_id = s.merchant_id AND w.status = 'enabled'
    )
)
SELECT s.id IS NOT NULL AS applied, s.pay_until
FROM unnest($1::text[]) WITH ORDINALITY AS r (payment_id, position)
LEFT JOIN shown s ON s.id = r.payment_id
ORDER BY r.position
