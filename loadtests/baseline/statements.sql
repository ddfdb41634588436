-- The baseline's statements, one row each.

-- name: find_key
SELECT merchant_id, merchant_name FROM api_keys WHERE secret_hash = $1

-- name: add_key
INSERT INTO api_keys (secret_hash, merchant_id, merchant_name) VALUES ($1, $2, $3)
ON CONFLICT (secret_hash) DO UPDATE SET merchant_id = excluded.merchant_id, merchant_name = excluded.merchant_name

-- name: find_payment
SELECT * FROM payments WHERE merchant_id = $1 AND merchant_order_no = $2

-- name: add_payment
INSERT INTO payments (
    id, merchant_id, merchant_order_no, status, amount, currency, account_id, store_id, terminal_id, metadata,
    request_fingerprint, expires_at, payable
) VALUES ($1, $2, $3, 'processing', $4, $5, $6, $7, $8, $9::text::jsonb, $10, now() + make_interval(secs => $11), $12)
ON CONFLICT (merchant_id, merchant_order_no) DO NOTHING
RETURNING *

-- name: add_attempt
INSERT INTO attempts (payment_id, seq, account_id, send_before)
VALUES ($1, 1, $2, now() + make_interval(secs => $3))

-- name: add_event
INSERT INTO events (payment_id, seq, type, from_status, to_status) VALUES ($1, $2, $3, $4, $5)

-- name: complete_payment
UPDATE payments SET
    status = $2, version = version + 1, channel_trade_no = $3, failure_code = $4, completed_at = now()
WHERE id = $1 AND status = 'processing'
RETURNING *

-- name: complete_attempt
UPDATE attempts SET
    state = $2, channel_trade_no = $3, channel_code = $4, payer_paid = $5, payer_hash = $6, paid_at = $7,
    finished_at = now()
WHERE payment_id = $1 AND seq = 1

-- name: add_transfer
INSERT INTO transfers (payment_id, seq, kind, debit, credit, amount, currency) VALUES ($1, $2, $3, $4, $5, $6, $7)

-- name: campaign
SELECT * FROM campaigns

-- name: add_campaign
INSERT INTO campaigns (id, name, spend, off, bank_percent, budget) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (id) DO UPDATE SET budget = excluded.budget

-- name: add_redemption
INSERT INTO redemptions (payment_id, campaign_id, name, discount, funding) VALUES ($1, $2, $3, $4, $5::text::jsonb)

-- name: take_budget
-- The last statement of its transaction: the row is everybody's.
UPDATE campaigns SET used = used + $2 WHERE id = $1 AND used + $2 <= budget

-- name: give_back_budget
UPDATE campaigns c SET used = c.used - r.discount FROM redemptions r WHERE r.payment_id = $1 AND c.id = r.campaign_id
