-- Commits a batch of intents: order number, idempotency key, payment, first attempt, recovery task, event; an event
-- that the merchant is told of (it has an id) also goes to the outbox.
-- A row whose order number or key belongs to another payment writes nothing and comes back with inserted = false;
-- its neighbours are not touched.  Sending the same batch again is safe: nothing is written twice.
-- Keys and replacements have no ON CONFLICT on purpose: two concurrent orders under one key (or for one replaced
-- payment) raise unique_violation, and the caller sends the batch again, when the first is visible here and only the
-- later order is left out.  Where nobody has a key or replaces a payment, those parts are left out (parts.py): to set up
-- their sixteen partitions costs as much as two payments.
-- What payments take of campaigns stands in arrays of its own ($35 and on; null where nobody takes anything, and then it
-- costs nothing); so do the decisions of the risk check ($62 and on).  Who is refused by a guard writes nothing either,
-- and comes back with the campaign, the reason and what was left.
WITH rows AS (
    SELECT * FROM unnest(
        $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::text[], $9::text[],
        $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[],
        $18::bytea[], $19::bytea[], $20::text[], $21::int[], $22::text[], $23::int[], $24::float8[], $25::float8[],
        $26::text[], $27::text[], $28::text[], $29::text[], $30::bytea[], $31::bytea[], $32::text[], $33::int[],
        $34::boolean[]
    ) AS r (
        payment_id, merchant_id, merchant_order_no, idempotency_key, status, amount, payable, currency, method,
        wallet, account_id, store_id, terminal_id, operator_id, metadata, notify_url, replaces,
        request_fingerprint, request_sealed, risk_decision, risk_score, failure_code, expires_in_s, send_within_s,
        recover_after_s, qr_code, event_id, code_id, routing, customer, card_bin, pricing,
        risk_version, promoted
    )
), new AS (
    INSERT INTO order_numbers (merchant_id, merchant_order_no, payment_id)
    SELECT r.merchant_id, r.merchant_order_no, r.payment_id
    FROM rows r
-- part: keys
    WHERE (r.idempotency_key IS NULL OR NOT EXISTS (
        SELECT FROM idempotency_keys k
        WHERE k.merchant_id = r.merchant_id AND k.key = r.idempotency_key AND k.payment_id <> r.payment_id
    )) AND (r.replaces IS NULL OR NOT EXISTS (
        SELECT FROM replacements p
        WHERE p.merchant_id = r.merchant_id AND p.replaced_id = r.replaces AND p.payment_id <> r.payment_id
    ))
-- end: keys
    ORDER BY r.merchant_id, r.merchant_order_no
    ON CONFLICT DO NOTHING
    RETURNING payment_id
), refused AS (
    SELECT * FROM take_redemptions(
        ARRAY(SELECT payment_id FROM new),
        $35::text[], $36::text[], $37::text[], $38::bytea[], $39::smallint[], $40::text[], $41::int[], $42::text[],
        $43::date[], $44::smallint[], $45::bigint[], $46::bigint[], $47::text[], $48::text[], $49::text[],
        $50::boolean[], $51::boolean[], $52::boolean[], $53::boolean[],
        $54::text[], $55::text[], $56::text[], $57::text[], $58::date[], $59::bigint[], $60::int[], $61::bigint[]
    )
    WHERE $35::text[] IS NOT NULL
), admitted AS (
    SELECT r.* FROM rows r JOIN new USING (payment_id)
    WHERE NOT EXISTS (SELECT FROM refused f WHERE f.refused_payment = r.payment_id)
-- part: keys
), key AS (
    INSERT INTO idempotency_keys (merchant_id, key, payment_id)
    SELECT merchant_id, idempotency_key, payment_id
    FROM admitted WHERE idempotency_key IS NOT NULL
    ORDER BY merchant_id, idempotency_key
), replacement AS (
    INSERT INTO replacements (merchant_id, replaced_id, payment_id)
    SELECT merchant_id, replaces, payment_id
    FROM admitted WHERE replaces IS NOT NULL AND status <> 'failed'
    ORDER BY merchant_id, replaces
-- end: keys
), payment AS (
    INSERT INTO payments (
        id, merchant_id, merchant_order_no, status, amount, payable, currency, method, wallet, account_id, attempt_seq,
        store_id, terminal_id, operator_id, metadata, notify_url, replaces, request_fingerprint, request_sealed,
        risk_decision, risk_score, failure_code, qr_code, code_id, created_at, completed_at, expires_at, any_wallet,
        customer, card_bin, pricing, promoted, risk_version
    )
    SELECT
        payment_id, merchant_id, merchant_order_no, status, amount, payable, currency, method, wallet, account_id,
        (account_id IS NOT NULL)::int, store_id, terminal_id, operator_id, metadata::json, notify_url, replaces,
        request_fingerprint, request_sealed, risk_decision, risk_score, failure_code, qr_code, code_id,
        now(), CASE WHEN status = 'failed' THEN now() END, now() + make_interval(secs => expires_in_s),
        status = 'requires_action' AND account_id IS NULL, customer, card_bin, pricing::json, promoted, risk_version
    FROM admitted
), attempt AS (
    INSERT INTO attempts (payment_id, merchant_id, seq, account_id, send_before, created_at, routing)
    SELECT payment_id, merchant_id, 1, account_id, now() + make_interval(secs => send_within_s), now(), routing::json
    FROM admitted WHERE account_id IS NOT NULL
), task AS (
    INSERT INTO recovery_tasks (payment_id, merchant_id, purpose, next_at, created_at, late_from)
    SELECT payment_id, merchant_id, 'resolve', now() + make_interval(secs => recover_after_s), now(),
        CASE status WHEN 'requires_action' THEN now() + make_interval(secs => expires_in_s) END
    FROM admitted WHERE status <> 'failed'
), event AS (
    INSERT INTO events (payment_id, merchant_id, seq, type, to_status, at, id)
    SELECT payment_id, merchant_id, 1,
        CASE status WHEN 'failed' THEN 'payment.refused' WHEN 'requires_action' THEN 'payment.code_shown'
            ELSE 'payment.created' END,
        status, now(), event_id
    FROM admitted
), outbox AS (
    INSERT INTO webhook_outbox (event_id, merchant_id, payment_id, seq)
    SELECT a.event_id, a.merchant_id, a.payment_id, 1
    FROM admitted a
    WHERE a.event_id IS NOT NULL AND (a.notify_url IS NOT NULL OR EXISTS (
        SELECT FROM webhook_endpoints w WHERE w.merchant_id = a.merchant_id AND w.status = 'enabled'
    ))
), decided AS (
    SELECT d.*, a.merchant_id, a.amount
    FROM unnest(
        $62::text[], $63::int[], $64::text[], $65::int[], $66::text[], $67::text[], $68::boolean[], $69::text[],
        $70::text[], $71::boolean[], $72::timestamptz[], $73::text[]
    ) AS d (
        payment_id, version, verdict, score, hits, shadow, no_discount, features, missed, beyond_tolerance, at, case_id
    ) JOIN admitted a USING (payment_id)
    WHERE $62::text[] IS NOT NULL
), decision AS (
    INSERT INTO risk_decisions (
        payment_id, merchant_id, version, verdict, score, hits, shadow, no_discount, features, missed,
        beyond_tolerance, at
    )
    SELECT
        payment_id, merchant_id, version, verdict, score, string_to_array(hits, E'\n'),
        string_to_array(shadow, E'\n'), no_discount, features, missed, beyond_tolerance, at
    FROM decided
), review AS (
    INSERT INTO risk_cases (id, merchant_id, kind, payment_id, amount, score)
    SELECT case_id, merchant_id, 'review', payment_id, amount, score
    FROM decided WHERE case_id IS NOT NULL
)
SELECT new.payment_id IS NOT NULL AND f.refusal IS NULL AS inserted, now() AS at,
    f.refusal, f.refusing_campaign, f.left_fen, f.left_count
FROM unnest($1::text[]) WITH ORDINALITY AS r (payment_id, position)
LEFT JOIN new USING (payment_id)
LEFT JOIN refused f ON f.refused_payment = r.payment_id
ORDER BY r.position
