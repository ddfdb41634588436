-- What a database for production must not hold (stored.py).

-- name: accounts
SELECT id, channel, settings_sealed FROM channel_accounts WHERE status <> 'disabled' ORDER BY id

-- name: demo_keys
SELECT m.id, m.name, count(*) AS keys FROM merchants m JOIN api_keys k ON k.merchant_id = m.id
WHERE m.name = ANY ($1) AND m.status = 'active' AND k.revoked_at IS NULL
GROUP BY m.id, m.name ORDER BY m.id
