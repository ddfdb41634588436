-- A database that has run for long: 20,000 payments of one month that are over, with one row of everything each, and
-- queues that are long (test_every_plan.py).  `test.month` is what the ids of the month begin with.
CREATE TEMP VIEW numbers AS
SELECT current_setting('test.month') || lpad(n::text, 16, '0') AS u, 'mer_' || n % 50 AS m
FROM generate_series(1, 20000) n;

INSERT INTO merchants (id, name, webhook_secret_sealed)
SELECT 'mer_' || n, 'n', '' FROM generate_series(0, 2000) n;

INSERT INTO codes (id, token, merchant_id, name)
SELECT 'code_' || n, 's' || n, 'mer_' || n % 50, 'n' FROM generate_series(0, 2000) n;

INSERT INTO webhook_endpoints (id, merchant_id, url, secret_sealed)
SELECT 'we_' || n, 'mer_' || n, '', '' FROM generate_series(0, 2000) n;

INSERT INTO payments (
    id, merchant_id, merchant_order_no, status, amount, payable, currency, method, attempt_seq, request_fingerprint,
    risk_decision, risk_score, created_at, expires_at, completed_at
)
SELECT 'pay_' || u, m, u, 'succeeded', 9, 9, 'CNY', 'barcode', 1, '', 'approve', 0, now(), now(), now() FROM numbers;

INSERT INTO attempts (payment_id, merchant_id, seq, account_id, state, send_before, created_at)
SELECT 'pay_' || u, m, 1, 'wechat_direct', 'captured', now(), now() FROM numbers;

INSERT INTO events (payment_id, merchant_id, seq, type, to_status, at, id)
SELECT 'pay_' || u, m, 1, 'payment.captured', 'succeeded', now(), 'evt_' || u FROM numbers;

INSERT INTO transfers (payment_id, merchant_id, seq, kind, debit, credit, amount, currency, booked_at)
SELECT 'pay_' || u, m, 1, 'capture', 'a', 'b', 9, 'CNY', now() FROM numbers;

INSERT INTO late_captures (payment_id, merchant_id, attempt_seq, account_id, amount, found_at, status)
SELECT 'pay_' || u, m, 1, 'wechat_direct', 9, now(), 'refunded' FROM numbers;

INSERT INTO refunds (
    id, merchant_id, payment_id, merchant_refund_no, seq, attempt_seq, account_id, amount, returned_to_customer,
    discount_returned, fee_returned, currency, status, next_at, created_at, completed_at
)
SELECT
    'ref_' || u, m, 'pay_' || u, u, 1, 1, 'wechat_direct', 9, 9, 0, 0, 'CNY', 'succeeded', now(), now(), now()
FROM numbers;

INSERT INTO callbacks (
    payment_id, account_id, notification_id, order_no, report_sealed, next_at, applied_at, result
)
SELECT 'pay_' || u, 'wechat_direct', u, u, '', now(), now(), 'applied' FROM numbers;

INSERT INTO webhook_deliveries (event_id, merchant_id, endpoint_id, url, body, status)
SELECT 'evt_' || u, m, 'we_1', '', '', 'succeeded' FROM numbers;

INSERT INTO webhook_attempts (event_id, merchant_id, endpoint_id, try, at, duration_ms)
SELECT 'evt_' || u, m, 'we_1', 1, now(), 1 FROM numbers;

INSERT INTO recovery_tasks (payment_id, merchant_id, purpose, next_at, created_at)
SELECT 'pay_' || u, m, 'watch', now() + interval '1 hour', now() FROM numbers;

INSERT INTO webhook_queue (endpoint_id, event_id, merchant_id)
SELECT replace(m, 'mer_', 'we_'), 'evt_' || u, m FROM numbers;

INSERT INTO webhook_outbox (event_id, merchant_id, payment_id, seq)
SELECT 'evt_' || u, m, 'pay_' || u, 1 FROM numbers;
