-- Answers of the admin API by idempotency key (kept_answers.py), and accounts that are about to change.

-- name: lock_key
-- Requests with one key come one after the other; the lock ends with the transaction.
SELECT pg_advisory_xact_lock(hashtextextended('admin ' || $1, 0))

-- name: find_answer
SELECT fingerprint, status, answer_sealed FROM admin_requests WHERE key = $1 AND created_at > now() - $2::interval

-- name: keep_answer
INSERT INTO admin_requests (key, fingerprint, status, answer_sealed) VALUES ($1, $2, $3, $4)
ON CONFLICT (key) DO UPDATE SET
    fingerprint = excluded.fingerprint, status = excluded.status, answer_sealed = excluded.answer_sealed,
    created_at = now()

-- name: forget_answers
DELETE FROM admin_requests WHERE created_at <= now() - $1::interval

-- name: hold_account
-- What it was before and what it is after belong together: nobody else changes it between.
SELECT FROM channel_accounts WHERE id = $1 FOR NO KEY UPDATE

-- name: known_merchants
SELECT id FROM merchants WHERE id = ANY ($1::text[])
