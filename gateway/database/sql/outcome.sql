-- Commits a batch of outcomes: the guarded transition, the attempt, the event and the postings; the recovery task goes,
-- and where the merchant wants to be told, the event goes to the outbox.  An outcome of an attempt that is no longer the
-- payment's current one is not applied.
-- A row whose payment is no longer in a state that the transition table allows writes nothing and comes back with
-- applied = false and where the payment stands; its neighbours are not touched.  A capture that races the merchant's
-- cancellation is not applied either: the worker, which still has the task, reverses it.  Nor is a reversal of a
-- payment that has refunds.
-- A payment that comes to nothing gives back what it took of campaigns; one that is captured counts for its customer, and
-- may have earned him a coupon.  The function that does it is called for the payments that have such a thing; the last
-- SELECT has it called.
-- No constant or parameter may bound the ids below: PostgreSQL 18.6 loses rows, or crashes, where it leaves partitions
-- out before such an update starts and then looks again at a row that changed meanwhile (test_unknown_fate.py).  It does
-- so too where the rows are of several months, which is why batches.py sends a statement for each.
WITH rows AS (
    SELECT * FROM unnest(
        $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int[], $7::text[], $8::text[], $9::text[],
        $10::text[], $11::bigint[], $12::bytea[], $13::timestamptz[], $14::text[], $15::text[]
    ) AS r (
        payment_id, merchant_id, event, from_states, to_status, seq, attempt_state, channel_trade_no, channel_code,
        failure_code, payer_paid, payer_hash, paid_at, reversal, event_id
    )
), held AS (
    SELECT p.id, p.merchant_id, p.status AS from_status
    FROM payments p JOIN rows r ON p.id = r.payment_id AND p.merchant_id = r.merchant_id
    ORDER BY p.id
    FOR UPDATE OF p
), changed AS (
    UPDATE payments p SET
        status = r.to_status,
        version = p.version + 1,
        channel_trade_no = coalesce(r.channel_trade_no, p.channel_trade_no),
        failure_code = r.failure_code,
        failure_channel_code = CASE WHEN r.failure_code IS NOT NULL THEN r.channel_code END,
        -- A capture is not applied while a reversal is pending, so whatever ends the payment then grants the wish.
        reversal = CASE WHEN p.reversal = 'pending' THEN 'succeeded' ELSE coalesce(r.reversal, p.reversal) END,
        review = NULL,
        completed_at = now()
    FROM rows r JOIN held h ON h.id = r.payment_id
    WHERE p.id = r.payment_id AND p.merchant_id = r.merchant_id
        AND p.status = ANY (string_to_array(r.from_states, ','))
        AND p.attempt_seq = r.seq
        AND (r.event <> 'payment.captured' OR p.reversal IS DISTINCT FROM 'pending')
        AND (p.refund_held = 0 OR r.event <> 'payment.reversed')
    RETURNING
        p.id, p.merchant_id, p.version, p.status, p.notify_url, h.from_status, p.payable, p.wallet, p.customer,
        p.card_bin, p.promoted
), attempt AS (
    UPDATE attempts a SET
        state = r.attempt_state,
        channel_trade_no = coalesce(r.channel_trade_no, a.channel_trade_no),
        channel_code = r.channel_code,
        payer_paid = coalesce(r.payer_paid, a.payer_paid),
        payer_hash = coalesce(r.payer_hash, a.payer_hash),
        paid_at = coalesce(r.paid_at, a.paid_at),
        finished_at = now()
    FROM rows r JOIN changed c ON c.id = r.payment_id
    WHERE a.payment_id = r.payment_id AND a.merchant_id = r.merchant_id AND a.seq = r.seq
        AND a.state <> r.attempt_state  -- one that was over before its payment stays as it was
), task AS (
    DELETE FROM recovery_tasks t USING changed c WHERE t.payment_id = c.id AND t.purpose = 'resolve'
), watch AS (
    INSERT INTO recovery_tasks (payment_id, merchant_id, purpose, next_at, created_at)
    SELECT r.payment_id, r.merchant_id, 'watch', now() + interval '1 minute', now()
    FROM rows r JOIN changed c ON c.id = r.payment_id
    WHERE r.attempt_state IN ('not_created', 'closed')
    -- Another attempt may be watched already, at leisure, or just now for the last time: this one is looked for soon.
    ON CONFLICT (payment_id, purpose) DO UPDATE SET next_at = excluded.next_at, tries = 0
), event AS (
    INSERT INTO events (payment_id, merchant_id, seq, type, from_status, to_status, at, id)
    SELECT c.id, c.merchant_id, c.version, r.event, c.from_status, c.status, now(), r.event_id
    FROM rows r JOIN changed c ON c.id = r.payment_id
), outbox AS (
    INSERT INTO webhook_outbox (event_id, merchant_id, payment_id, seq)
    SELECT r.event_id, c.merchant_id, c.id, c.version
    FROM rows r JOIN changed c ON c.id = r.payment_id
    WHERE c.notify_url IS NOT NULL OR EXISTS (
        SELECT FROM webhook_endpoints w WHERE w.merchant_id = c.merchant_id AND w.status = 'enabled'
    )
), posting AS (
    INSERT INTO transfers (payment_id, merchant_id, seq, kind, debit, credit, amount, currency, booked_at)
    SELECT t.payment_id, c.merchant_id, t.seq, t.kind, t.debit, t.credit, t.amount, t.currency, now()
    FROM unnest(
        $16::text[], $17::int[], $18::text[], $19::text[], $20::text[], $21::bigint[], $22::text[]
    ) AS t (payment_id, seq, kind, debit, credit, amount, currency)
    JOIN changed c ON c.id = t.payment_id
), followed AS (
    SELECT follow_outcomes(
        array_agg(id ORDER BY customer, id), array_agg(merchant_id ORDER BY customer, id),
        array_agg(status ORDER BY customer, id), array_agg(from_status ORDER BY customer, id),
        array_agg(customer ORDER BY customer, id), array_agg(payable ORDER BY customer, id),
        array_agg(wallet ORDER BY customer, id), array_agg(card_bin ORDER BY customer, id),
        array_agg(promoted ORDER BY customer, id)
    ) AS slices
    FROM changed
    WHERE customer IS NOT NULL OR promoted
    HAVING count(*) > 0
)
SELECT c.id IS NOT NULL AS applied, coalesce(c.status, h.from_status) AS status, now() AS at
FROM unnest($1::text[]) WITH ORDINALITY AS r (payment_id, position)
LEFT JOIN changed c ON c.id = r.payment_id
LEFT JOIN held h ON h.id = r.payment_id
WHERE (SELECT count(slices) FROM followed) >= 0
ORDER BY r.position
