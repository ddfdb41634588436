-- Coupons (campaigns.py, taking.py, store.py, rewards.py).  All times are the database's.  What pricing needs of them, the
-- free ones of a customer, is read with his history (promotions/customers/statements.sql, off the index coupons_free).

-- name: campaign
SELECT id, status, version, document, ends_at, ended_at, clock_timestamp() AS at FROM campaigns WHERE id = $1

-- name: take
SELECT * FROM take_coupons(
    $1::text[], $2::text[], $3::bytea[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
    $10::smallint[], $11::int[], $12::bigint[], $13::int[], $14::timestamptz[], $15::timestamptz[], $16::int[]
)

-- name: find
-- Of the realm's own.
SELECT c.id, c.campaign_id, k.document ->> 'name' AS name, c.merchant_id, c.realm, c.source, c.created_at,
    least(c.expires_at, k.ends_at, k.ended_at) AS expires_at, clock_timestamp() AS read_at, c.earned_by, c.payment_id,
    c.voided_at, c.void_reason
FROM coupons c JOIN campaigns k ON k.id = c.campaign_id
WHERE c.id = $1 AND c.realm = $2

-- name: find_many
SELECT c.id, c.campaign_id, k.document ->> 'name' AS name, c.merchant_id, c.realm, c.source, c.created_at,
    least(c.expires_at, k.ends_at, k.ended_at) AS expires_at, clock_timestamp() AS read_at, c.earned_by, c.payment_id,
    c.voided_at, c.void_reason
FROM coupons c JOIN campaigns k ON k.id = c.campaign_id
WHERE c.id = ANY ($1::text[])

-- name: list_of_customer
-- The newest first.  A status is what the row and the clock say (coupon.py).
SELECT * FROM (
    SELECT c.id, c.campaign_id, k.document ->> 'name' AS name, c.merchant_id, c.realm, c.source, c.created_at,
        least(c.expires_at, k.ends_at, k.ended_at) AS expires_at, now() AS read_at, c.earned_by, c.payment_id,
        c.voided_at, c.void_reason
    FROM coupons c JOIN campaigns k ON k.id = c.campaign_id
    WHERE c.customer = $1 AND ($2::text IS NULL OR c.campaign_id = $2) AND ($3::text IS NULL OR c.id < $3)
) c
WHERE $4::text IS NULL OR $4 = CASE
    WHEN voided_at IS NOT NULL THEN 'voided'
    WHEN payment_id IS NOT NULL THEN 'redeemed'
    WHEN expires_at <= read_at THEN 'expired'
    ELSE 'valid'
END
ORDER BY id DESC
LIMIT $5

-- name: list_of_realm
-- The same of all customers of a realm: by the index of what is listed, for a filter may find little.
SELECT * FROM (
    SELECT c.id, c.campaign_id, k.document ->> 'name' AS name, c.merchant_id, c.realm, c.source, c.created_at,
        least(c.expires_at, k.ends_at, k.ended_at) AS expires_at, now() AS read_at, c.earned_by, c.payment_id,
        c.voided_at, c.void_reason
    FROM coupons c JOIN campaigns k ON k.id = c.campaign_id
    WHERE c.realm = $1 AND ($2::text IS NULL OR c.campaign_id = $2) AND ($3::text IS NULL OR c.id < $3)
) c
WHERE $4::text IS NULL OR $4 = CASE
    WHEN voided_at IS NOT NULL THEN 'voided'
    WHEN payment_id IS NOT NULL THEN 'redeemed'
    WHEN expires_at <= read_at THEN 'expired'
    ELSE 'valid'
END
ORDER BY id DESC
LIMIT $5

-- name: list_all
-- The newest first, of all campaigns.
SELECT c.id, c.campaign_id, k.document ->> 'name' AS name, c.merchant_id, c.realm, c.source, c.created_at,
    least(c.expires_at, k.ends_at, k.ended_at) AS expires_at, now() AS read_at, c.earned_by, c.payment_id,
    c.voided_at, c.void_reason
FROM coupons c JOIN campaigns k ON k.id = c.campaign_id
WHERE $1::text IS NULL OR c.id < $1
ORDER BY c.id DESC
LIMIT $2

-- name: list_of_campaign
-- The newest first.
SELECT c.id, c.campaign_id, k.document ->> 'name' AS name, c.merchant_id, c.realm, c.source, c.created_at,
    least(c.expires_at, k.ends_at, k.ended_at) AS expires_at, now() AS read_at, c.earned_by, c.payment_id,
    c.voided_at, c.void_reason
FROM coupons c JOIN campaigns k ON k.id = c.campaign_id
WHERE c.campaign_id = $1 AND ($2::text IS NULL OR c.id < $2)
ORDER BY c.id DESC
LIMIT $3

-- name: summary
-- All of a campaign's coupons are looked at: it is for people, not for tills.
SELECT k.document -> 'coupon' AS terms, coalesce(s.taken, 0) AS taken, c.*
FROM campaigns k
LEFT JOIN coupon_stock s ON s.campaign_id = k.id
CROSS JOIN LATERAL (
    SELECT
        count(*) FILTER (WHERE source = 'claimed') AS claimed,
        count(*) FILTER (WHERE source = 'issued') AS issued,
        count(*) FILTER (WHERE source = 'granted') AS granted,
        count(*) FILTER (WHERE voided_at IS NOT NULL) AS voided,
        count(*) FILTER (WHERE payment_id IS NOT NULL) AS redeemed,
        count(*) FILTER (WHERE payment_id IS NULL AND voided_at IS NULL AND ends_at <= now()) AS expired,
        count(*) FILTER (
            WHERE payment_id IS NULL AND voided_at IS NULL AND (ends_at IS NULL OR ends_at > now())
        ) AS valid
    FROM (
        SELECT source, voided_at, payment_id, least(expires_at, k.ends_at, k.ended_at) AS ends_at
        FROM coupons WHERE campaign_id = k.id
    ) each
) c
WHERE k.id = $1

-- name: void
-- Only a free one: what a payment has taken is that payment's.
UPDATE coupons SET voided_at = now(), void_reason = $2
WHERE id = $1 AND payment_id IS NULL AND voided_at IS NULL
RETURNING id

-- name: hold_payment
-- A refund or reversal of the payment comes before or after, not in the middle.
SELECT id, status, amount, amount_refunded, customer, merchant_id FROM payments
WHERE id = $1 AND merchant_id = $2
FOR NO KEY UPDATE

-- name: rewarding
-- What of a payment's campaigns rewards it, in the version that the payment saw.
SELECT r.campaign_id, r.returns_budget, v.document
FROM redemptions r
JOIN campaign_versions v ON v.campaign_id = r.campaign_id AND v.version = r.campaign_version
WHERE r.payment_id = $1 AND r.merchant_id = $2 AND r.rewards
ORDER BY r.seq

-- name: realm_of
SELECT coalesce(customer_realm, id) FROM merchants WHERE id = $1

-- name: void_rewards
-- The coupons that a campaign issued for a payment, but for those that were redeemed.
UPDATE coupons SET voided_at = now(), void_reason = $3
WHERE earned_by = $1 AND reward_of = $2 AND payment_id IS NULL AND voided_at IS NULL
RETURNING id
