-- Makes and removes the payments of `mashang seed`.  Payment number n is always the same payment of the same plan: what a
-- killed run has not committed is made again as it would have been.  What belongs to the plan stands in a schema of its own.
-- Numbers of a payment's fate: h is 32 letters 0-9a-f, a, b and c are fractions below 1, all drawn from n.

-- name: room
CREATE SCHEMA seeding;
CREATE TABLE seeding.plan (
    payments bigint NOT NULL, merchants integer NOT NULL, days integer NOT NULL, until timestamptz NOT NULL,
    chunk integer NOT NULL
);
CREATE TABLE seeding.chunks (first bigint PRIMARY KEY, last bigint NOT NULL);
CREATE FUNCTION seeding.time_letters(ms bigint) RETURNS text LANGUAGE sql IMMUTABLE RETURN
    chr(get_byte('0123456789ABCDEFGHJKMNPQRSTVWXYZ', (ms >> 45 & 31)::integer))
    || chr(get_byte('0123456789ABCDEFGHJKMNPQRSTVWXYZ', (ms >> 40 & 31)::integer))
    || chr(get_byte('0123456789ABCDEFGHJKMNPQRSTVWXYZ', (ms >> 35 & 31)::integer))
    || chr(get_byte('0123456789ABCDEFGHJKMNPQRSTVWXYZ', (ms >> 30 & 31)::integer))
    || chr(get_byte('0123456789ABCDEFGHJKMNPQRSTVWXYZ', (ms >> 25 & 31)::integer))
    || chr(get_byte('0123456789ABCDEFGHJKMNPQRSTVWXYZ', (ms >> 20 & 31)::integer))
    || chr(get_byte('0123456789ABCDEFGHJKMNPQRSTVWXYZ', (ms >> 15 & 31)::integer))
    || chr(get_byte('0123456789ABCDEFGHJKMNPQRSTVWXYZ', (ms >> 10 & 31)::integer))
    || chr(get_byte('0123456789ABCDEFGHJKMNPQRSTVWXYZ', (ms >> 5 & 31)::integer))
    || chr(get_byte('0123456789ABCDEFGHJKMNPQRSTVWXYZ', (ms & 31)::integer));

-- name: is_made
SELECT to_regclass('seeding.plan') IS NOT NULL

-- name: add_plan
INSERT INTO seeding.plan (payments, merchants, days, until, chunk) VALUES ($1, $2, $3, $4, $5)

-- name: plan
SELECT payments, merchants, days, until, chunk FROM seeding.plan

-- name: done
SELECT first FROM seeding.chunks

-- name: folder_here
-- Where the data lie; null over the network, or for a role that must not know.
SELECT setting FROM pg_settings WHERE name = 'data_directory' AND inet_server_addr() IS NULL

-- name: strangers
-- Whether somebody else's payments stand here, or stood: their numbers stay when their months are taken out.
SELECT EXISTS (
    SELECT FROM merchants m
    WHERE NOT starts_with(m.id, $1) AND EXISTS (SELECT FROM order_numbers o WHERE o.merchant_id = m.id)
)

-- name: merchants
-- Suspended, without a key: nobody pays there.
INSERT INTO merchants (id, name, status, webhook_secret_sealed)
SELECT $1 || lpad(n::text, 14, '0'), 'seeded ' || n, 'suspended', ''
FROM generate_series(1, $2::integer) AS n
ON CONFLICT DO NOTHING

-- name: chunk
-- Payments $1 to $2: $3 is the time of number 0 (ms since 1970) and $4 the milliseconds between two of them; $5 so many
-- merchants, the k-th of which has a share of 1/k (Zipf's law); $6 what their ids begin with.
WITH drawn AS MATERIALIZED (
    SELECT
        n, seeding.time_letters(ms) || upper(substr(h, 1, 16)) AS ulid, a, b, to_timestamp(ms / 1000.0) AS at,
        $6::text || lpad(floor(exp(c * ln($5::integer + 1)))::integer::text, 14, '0') AS merchant_id,
        CASE WHEN b < 0.6 THEN 'wechat' WHEN b < 0.9 THEN 'alipay' ELSE 'unionpay' END AS wallet,
        a >= 0.85 AS by_code,
        decode(h, 'hex') AS digest
    FROM (
        SELECT
            n, md5(n::text) AS h, ($3::bigint + floor(n * $4::float8))::bigint AS ms,
            (hashint8extended(n, 1) & 2147483647) / 2147483648.0::float8 AS a,
            (hashint8extended(n, 2) & 2147483647) / 2147483648.0::float8 AS b,
            (hashint8extended(n, 3) & 2147483647) / 2147483648.0::float8 AS c
        FROM generate_series($1::bigint, $2::bigint) AS n
    ) AS numbers
), fates AS MATERIALIZED (
    SELECT
        *, amount / 250 AS fee, 'channel_receivable:' || account_id AS receivable,
        'merchant_payable:' || merchant_id AS payable
    FROM (SELECT
        *, 'pay_' || ulid AS id, 'ref_' || ulid AS refund_id, 'evt_' || substr(ulid, 1, 25) AS event,
        'SEED' || lpad(n::text, 12, '0') AS order_no,
        (500 + 49500 * (hashint8extended(n, 4) & 65535) / 65536.0 * a)::bigint AS amount,
        'seeded.' || wallet AS account_id,
        n % 1000 >= 45 AS captured, n % 1000 >= 985 AS refunded,
        CASE WHEN by_code THEN 'requires_action' ELSE 'processing' END AS begun,
        CASE
            WHEN n % 1000 >= 45 THEN 'succeeded'
            WHEN n % 1000 >= 35 THEN 'reversed'
            WHEN by_code THEN 'closed'
            ELSE 'failed'
        END AS status,
        at + CASE WHEN by_code THEN interval '20 s' ELSE interval '400 ms' END AS ended_at,
        at + interval '20 min' AS refunded_at
    FROM drawn) AS told
), number AS (
    INSERT INTO order_numbers (merchant_id, merchant_order_no, payment_id)
    SELECT merchant_id, order_no, id FROM fates ORDER BY merchant_id, order_no
), key AS (
    INSERT INTO idempotency_keys (merchant_id, key, payment_id)
    SELECT merchant_id, order_no, id FROM fates ORDER BY merchant_id, order_no
), payment AS (
    INSERT INTO payments (
        id, merchant_id, merchant_order_no, status, version, amount, payable, currency, method, wallet, account_id,
        attempt_seq, channel_trade_no, store_id, terminal_id, request_fingerprint, risk_decision, risk_score,
        failure_code, failure_channel_code, reversal, amount_refunded, refund_held, refund_count, created_at,
        completed_at, expires_at
    )
    SELECT
        id, merchant_id, order_no, status, CASE WHEN refunded THEN 4 ELSE 2 END, amount, amount, 'CNY',
        CASE WHEN by_code THEN 'qrcode' ELSE 'barcode' END, wallet, account_id,
        1, CASE WHEN captured THEN 'S' || lpad(n::text, 27, '0') END, 'store-' || n % 7, 'till-' || n % 31,
        digest, 'approve', 0,
        CASE status WHEN 'failed' THEN 'insufficient_funds' END, CASE status WHEN 'failed' THEN 'NOTENOUGH' END,
        CASE status WHEN 'reversed' THEN 'succeeded' END,
        CASE WHEN refunded THEN amount ELSE 0 END, CASE WHEN refunded THEN amount ELSE 0 END, refunded::integer, at,
        ended_at, at + CASE WHEN by_code THEN interval '2 h' ELSE interval '60 s' END
    FROM fates ORDER BY id
), attempt AS (
    INSERT INTO attempts (
        payment_id, merchant_id, seq, account_id, state, send_before, channel_trade_no, channel_code, payer_paid,
        payer_hash, paid_at, created_at, finished_at
    )
    SELECT
        id, merchant_id, 1, account_id,
        CASE status WHEN 'succeeded' THEN 'captured' WHEN 'failed' THEN 'refused' ELSE status END,
        at + interval '5 s', CASE WHEN captured THEN 'S' || lpad(n::text, 27, '0') END,
        CASE status WHEN 'succeeded' THEN 'SUCCESS' WHEN 'failed' THEN 'NOTENOUGH' END,
        CASE WHEN captured THEN amount END, CASE WHEN captured THEN digest END, CASE WHEN captured THEN ended_at END,
        at, ended_at
    FROM fates ORDER BY id
), event AS (
    INSERT INTO events (payment_id, merchant_id, seq, type, from_status, to_status, at, id, refund_id)
    SELECT id, merchant_id, 1, CASE WHEN by_code THEN 'payment.code_shown' ELSE 'payment.created' END, NULL, begun, at,
        CASE WHEN by_code THEN event || '1' END, NULL
    FROM fates
    UNION ALL
    SELECT id, merchant_id, 2,
        CASE status WHEN 'succeeded' THEN 'payment.captured' WHEN 'failed' THEN 'payment.declined'
            ELSE 'payment.' || status END,
        begun, status, ended_at, event || '2', NULL
    FROM fates
    UNION ALL
    SELECT id, merchant_id, 3, 'refund.created', status, status, refunded_at, event || '3', refund_id
    FROM fates WHERE refunded
    UNION ALL
    SELECT id, merchant_id, 4, 'refund.succeeded', status, status, refunded_at, event || '4', refund_id
    FROM fates WHERE refunded
), transfer AS (
    INSERT INTO transfers (payment_id, merchant_id, seq, kind, debit, credit, amount, currency, booked_at)
    SELECT id, merchant_id, 1, 'capture', receivable, payable, amount, 'CNY', ended_at FROM fates WHERE captured
    UNION ALL
    SELECT id, merchant_id, 2, 'fee', payable, receivable, fee, 'CNY', ended_at FROM fates WHERE captured
    UNION ALL
    SELECT id, merchant_id, 1030, 'refund', payable, receivable, amount, 'CNY', refunded_at FROM fates WHERE refunded
    UNION ALL
    SELECT id, merchant_id, 1031, 'refund_fee', receivable, payable, fee, 'CNY', refunded_at FROM fates WHERE refunded
), refund_number AS (
    INSERT INTO refund_numbers (merchant_id, merchant_refund_no, refund_id)
    SELECT merchant_id, order_no || 'R', refund_id
    FROM fates WHERE refunded ORDER BY merchant_id, order_no
), refund AS (
    INSERT INTO refunds (
        id, merchant_id, payment_id, merchant_refund_no, seq, attempt_seq, account_id, amount, returned_to_customer,
        discount_returned, fee_returned, currency, status, next_at, created_at, completed_at
    )
    SELECT
        refund_id, merchant_id, id, order_no || 'R', 1, 1, account_id, amount,
        amount, 0, fee, 'CNY', 'succeeded', refunded_at, refunded_at, refunded_at
    FROM fates WHERE refunded ORDER BY id
)
INSERT INTO seeding.chunks (first, last) VALUES ($1::bigint, $2::bigint)

-- name: ranges
SELECT first, last FROM seeding.chunks ORDER BY first

-- name: by_keys
-- A chunk is little beside the tables, whatever the planner thinks of it.
SELECT set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),
    set_config('enable_seqscan', 'off', true)

-- name: remove_chunk
-- The chunk that begins with payment $1: those from the time $2 to $3 (ms since 1970) of merchants whose ids begin with $4.
WITH bounds AS MATERIALIZED (
    SELECT seeding.time_letters($2::bigint) AS low, seeding.time_letters($3::bigint) AS high
), payment AS (
    DELETE FROM payments p USING bounds b
    WHERE p.id >= 'pay_' || b.low AND p.id < 'pay_' || b.high AND starts_with(p.merchant_id, $4::text)
    RETURNING p.id, p.merchant_id, p.merchant_order_no
), refund AS (
    DELETE FROM refunds r USING bounds b
    WHERE r.id >= 'ref_' || b.low AND r.id < 'ref_' || b.high AND starts_with(r.merchant_id, $4::text)
    RETURNING r.merchant_id, r.merchant_refund_no
), attempt AS (
    DELETE FROM attempts a USING payment p WHERE a.payment_id = p.id AND a.merchant_id = p.merchant_id
), event AS (
    DELETE FROM events e USING payment p WHERE e.payment_id = p.id AND e.merchant_id = p.merchant_id
), transfer AS (
    DELETE FROM transfers t USING payment p WHERE t.payment_id = p.id AND t.merchant_id = p.merchant_id
), number AS (
    DELETE FROM order_numbers o USING payment p
    WHERE o.merchant_id = p.merchant_id AND o.merchant_order_no = p.merchant_order_no
), key AS (
    DELETE FROM idempotency_keys k USING payment p
    WHERE k.merchant_id = p.merchant_id AND k.key = p.merchant_order_no
), refund_number AS (
    DELETE FROM refund_numbers n USING refund r
    WHERE n.merchant_id = r.merchant_id AND n.merchant_refund_no = r.merchant_refund_no
)
DELETE FROM seeding.chunks WHERE first = $1::bigint

-- name: remove_merchants
DELETE FROM merchants WHERE starts_with(id, $1)
