-- Stores of merchants, and where payments are made as campaigns and risk rules look at it (stores.py).

-- name: list
SELECT store_id, name, category, region, latitude, longitude FROM stores
WHERE merchant_id = $1 AND ($2::text IS NULL OR store_id > $2)
ORDER BY store_id LIMIT $3

-- name: find
SELECT store_id, name, category, region, latitude, longitude FROM stores WHERE merchant_id = $1 AND store_id = $2

-- name: put
-- Many at once; what is there already is replaced.
INSERT INTO stores (merchant_id, store_id, name, category, region, latitude, longitude)
SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::float8[], $7::float8[])
ON CONFLICT (merchant_id, store_id) DO UPDATE SET
    name = excluded.name, category = excluded.category, region = excluded.region, latitude = excluded.latitude,
    longitude = excluded.longitude

-- name: delete
DELETE FROM stores WHERE merchant_id = $1 AND store_id = $2

-- name: place
-- A store's own category and region, or else its merchant's; also of a store that is not known.
SELECT
    coalesce(m.customer_realm, m.id) AS customer_realm, coalesce(s.category, m.category) AS category,
    coalesce(s.region, m.region) AS region, m.created_at, m.risk_tier, m.risk_open_amount_max, s.latitude, s.longitude
FROM merchants m LEFT JOIN stores s ON s.merchant_id = m.id AND s.store_id = $2
WHERE m.id = $1
