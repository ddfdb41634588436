-- Channel accounts (account_store.py, accounts.py).  What guards on `settings_sealed` applies only to what was read.

-- name: all_accounts
SELECT * FROM channel_accounts ORDER BY id

-- name: list_accounts
SELECT * FROM channel_accounts
WHERE ($1::text IS NULL OR merchant_id = $1) AND ($2::text IS NULL OR id > $2)
ORDER BY id LIMIT $3

-- name: find_account
SELECT * FROM channel_accounts WHERE id = $1

-- name: insert_account
INSERT INTO channel_accounts
    (id, channel, wallets, merchant_id, status, priority, fee_rate_millionths, settings_sealed, terms)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (id) DO NOTHING
RETURNING *

-- name: replace_account
UPDATE channel_accounts SET
    settings_sealed = $3, wallets = $4, priority = $5, fee_rate_millionths = $6, terms = coalesce($7, terms),
    updated_at = now()
WHERE id = $1 AND settings_sealed = $2
RETURNING *

-- name: rotate_account
UPDATE channel_accounts SET
    settings_sealed = $3,
    previous_settings_sealed = CASE WHEN $4::interval > interval '0' THEN settings_sealed END,
    previous_until = CASE WHEN $4::interval > interval '0' THEN now() + $4::interval END,
    updated_at = now()
WHERE id = $1 AND settings_sealed = $2
RETURNING *

-- name: change_account
UPDATE channel_accounts SET
    status = coalesce($2, status), priority = coalesce($3, priority),
    fee_rate_millionths = coalesce($4, fee_rate_millionths), terms = coalesce($5, terms), updated_at = now()
WHERE id = $1
RETURNING *

-- name: has_past_overlap
-- Looked at first: an update, even one of no row, makes every process read its accounts again.
SELECT EXISTS (SELECT FROM channel_accounts WHERE previous_until <= now())

-- name: forget_previous
UPDATE channel_accounts SET previous_settings_sealed = NULL, previous_until = NULL WHERE previous_until <= now()
