-- The audit's own scratch file (scratch.py): the simulators' books and the client log, sorted by order number and id.

-- name: schema
CREATE TABLE trades (order_no TEXT, channel TEXT, amount INTEGER, refunded INTEGER, status TEXT, captured_at TEXT, pay_until TEXT);
CREATE TABLE refunds (order_no TEXT, channel TEXT, refund_no TEXT, amount INTEGER, kind TEXT);
CREATE TABLE answers (
    payment_id TEXT, order_key TEXT, merchant_order_no TEXT, created INTEGER, status TEXT, amount INTEGER,
    payable INTEGER, amount_refunded INTEGER, asked_amount INTEGER, request_digest BLOB, line INTEGER
);
CREATE TABLE refund_answers (
    payment_id TEXT, refund_id TEXT, status TEXT, amount INTEGER, returned INTEGER, line INTEGER
);
CREATE TABLE took (campaign_id TEXT, day TEXT, slice INTEGER, fen INTEGER, number INTEGER);
CREATE TABLE used (key TEXT, campaign_id TEXT, scope TEXT, day TEXT, fen INTEGER, number INTEGER);
CREATE TABLE paid (customer BLOB, fen INTEGER);

-- name: indexes
CREATE INDEX trades_by_order ON trades (order_no);
CREATE INDEX refunds_by_order ON refunds (order_no);
CREATE INDEX refund_answers_by_payment ON refund_answers (payment_id);
CREATE INDEX answers_by_payment ON answers (payment_id);
CREATE INDEX answers_by_order ON answers (order_key) WHERE created;

-- name: add_trade
INSERT INTO trades VALUES (?, ?, ?, ?, ?, ?, ?)

-- name: add_refund
INSERT INTO refunds VALUES (?, ?, ?, ?, ?)

-- name: add_answer
INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: add_refund_answer
INSERT INTO refund_answers VALUES (?, ?, ?, ?, ?, ?)

-- name: trades
SELECT * FROM trades WHERE order_no > ? AND order_no <= ? ORDER BY order_no

-- name: refunds
SELECT * FROM refunds WHERE order_no > ? AND order_no <= ? ORDER BY order_no

-- name: answers
SELECT * FROM answers WHERE payment_id > ? AND payment_id <= ? ORDER BY payment_id

-- name: refund_answers
SELECT * FROM refund_answers WHERE payment_id > ? AND payment_id <= ? ORDER BY payment_id

-- name: orders_with_two_payments
SELECT order_key, group_concat(payment_id, ', ') FROM (SELECT DISTINCT order_key, payment_id FROM answers WHERE created)
GROUP BY order_key HAVING count(*) > 1

-- name: orders_with_two_requests
SELECT order_key, min(payment_id), count(DISTINCT request_digest) FROM answers WHERE created
GROUP BY order_key HAVING count(DISTINCT request_digest) > 1

-- name: orders
SELECT count(DISTINCT order_key) FROM answers WHERE created

-- name: add_took
INSERT INTO took VALUES (?, ?, ?, ?, ?)

-- name: add_used
INSERT INTO used VALUES (?, ?, ?, ?, ?, ?)

-- name: add_paid
INSERT INTO paid VALUES (?, ?)

-- name: forget_sums
DELETE FROM took;
DELETE FROM used;
DELETE FROM paid;

-- name: took
SELECT campaign_id, day, slice, sum(fen), sum(number) FROM took GROUP BY campaign_id, day, slice
ORDER BY campaign_id, day, slice

-- name: used
SELECT key, campaign_id, scope, day, sum(fen), sum(number) FROM used GROUP BY key, campaign_id, scope, day
ORDER BY key, campaign_id, scope, day

-- name: paid
SELECT customer, sum(fen), count(*) FROM paid GROUP BY customer ORDER BY customer
