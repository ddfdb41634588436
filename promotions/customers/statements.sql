-- What is known of customers when their payments are priced (reading.py).

-- name: histories
-- One row for each of the waiting payments, in their order: a customer, and the device where one was named (by an id that
-- may be another customer's).  Uses of days that are over in every time zone decide about nothing any more.
SELECT
    coalesce(c.orders, 0) AS orders, coalesce(c.spent, 0) AS spent, c.first_at, c.last_at,
    coalesce(c.by_wallet, '{}')::text AS by_wallet,
    (c.by_bin ->> r.bin_key)::integer AS orders_with_bin,
    (c.by_merchant ->> r.merchant_id)::integer AS orders_at_merchant,
    coalesce(c.segments, '{}') AS segments,
    (
        SELECT json_agg(json_build_array(u.campaign_id, u.scope, u.day, u.used_count, u.used))::text
        FROM campaign_uses u
        WHERE u.key IN (r.customer_key, r.device_key)
            AND u.key = CASE u.scope WHEN 'customer' THEN r.customer_key WHEN 'device' THEN r.device_key END
            AND (u.day = '2000-01-01' OR u.day >= (now() AT TIME ZONE 'UTC')::date - 1)
    ) AS uses,
    (
        SELECT json_agg(json_build_array(h.id, h.campaign_id, h.expires_at))::text
        FROM (
            SELECT id, campaign_id, expires_at FROM coupons
            WHERE customer = r.customer AND payment_id IS NULL AND voided_at IS NULL
                AND (expires_at IS NULL OR expires_at > now())
            ORDER BY expires_at, id
            LIMIT 200
        ) h
    ) AS coupons,
    now() AS at
FROM unnest($1::bytea[], $2::text[], $3::text[], $4::text[], $5::text[])
    WITH ORDINALITY AS r (customer, customer_key, device_key, bin_key, merchant_id, position)
LEFT JOIN customers c ON c.customer = r.customer
ORDER BY r.position
