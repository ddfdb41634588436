-- Cases, their steps, and complaints (store.py, desk.py, complaints.py, gauges.py).

-- name: find
SELECT
    id, merchant_id, kind, payment_id, amount AS amount_fen, score, opened_at, due_at, version, claimed_by,
    claimed_until, reopened_at, verdict, decided_by, decided_at, now() AS read_at
FROM risk_cases
WHERE id = $1

-- name: hold
SELECT
    id, merchant_id, kind, payment_id, amount AS amount_fen, score, opened_at, due_at, version, claimed_by,
    claimed_until, reopened_at, verdict, decided_by, decided_at, now() AS read_at
FROM risk_cases
WHERE id = $1
FOR UPDATE

-- name: open_by_due
-- $1 and $2 are the last case of the page before; the filters are null where they leave a condition out.
SELECT
    id, merchant_id, kind, payment_id, amount AS amount_fen, score, opened_at, due_at, version, claimed_by,
    claimed_until, reopened_at, verdict, decided_by, decided_at, now() AS read_at
FROM risk_cases
WHERE decided_at IS NULL
    AND (due_at, id) > ($1::timestamptz, $2::text)
    AND ($4::text IS NULL OR kind = $4)
    AND ($5::text IS NULL OR merchant_id = $5)
    AND ($6::text IS NULL OR payment_id = $6)
    AND ($7::text IS NULL OR (claimed_by = $7 AND claimed_until > now()))
    AND (NOT $8::boolean OR coalesce(claimed_until <= now(), true))
    AND (NOT $9::boolean OR due_at <= now())
ORDER BY due_at, id
LIMIT $3

-- name: open_by_amount
SELECT
    id, merchant_id, kind, payment_id, amount AS amount_fen, score, opened_at, due_at, version, claimed_by,
    claimed_until, reopened_at, verdict, decided_by, decided_at, now() AS read_at
FROM risk_cases
WHERE decided_at IS NULL
    AND (amount, id) < ($1::bigint, $2::text)
    AND ($4::text IS NULL OR kind = $4)
    AND ($5::text IS NULL OR merchant_id = $5)
    AND ($6::text IS NULL OR payment_id = $6)
    AND ($7::text IS NULL OR (claimed_by = $7 AND claimed_until > now()))
    AND (NOT $8::boolean OR coalesce(claimed_until <= now(), true))
    AND (NOT $9::boolean OR due_at <= now())
ORDER BY amount DESC, id DESC
LIMIT $3

-- name: decided
SELECT
    id, merchant_id, kind, payment_id, amount AS amount_fen, score, opened_at, due_at, version, claimed_by,
    claimed_until, reopened_at, verdict, decided_by, decided_at, now() AS read_at
FROM risk_cases
WHERE decided_at IS NOT NULL
    AND (decided_at, id) < ($1::timestamptz, $2::text)
    AND ($4::text IS NULL OR kind = $4)
    AND ($5::text IS NULL OR merchant_id = $5)
    AND ($6::text IS NULL OR payment_id = $6)
    AND ($7::text IS NULL OR decided_by = $7)
ORDER BY decided_at DESC, id DESC
LIMIT $3

-- name: newest_of_payment
SELECT id FROM risk_cases WHERE payment_id = $1 AND merchant_id = $2 ORDER BY decided_at IS NULL DESC, id DESC LIMIT 1

-- name: hold_payment
-- Complaints about one payment are taken one after the other.
SELECT pg_advisory_xact_lock(hashtextextended('risk case ' || $1, 0))

-- name: payment
SELECT id, merchant_id, amount, risk_score FROM payments WHERE id = $1

-- name: open_case
INSERT INTO risk_cases (id, merchant_id, kind, payment_id, amount, score, due_at)
VALUES ($1, $2, $3, $4, $5, $6, risk_case_due($3))

-- name: claim
UPDATE risk_cases SET
    version = $3, claimed_by = $4,
    claimed_until = now() + make_interval(mins => (SELECT t.claim_minutes FROM risk_case_terms t WHERE t.kind = risk_cases.kind))
WHERE id = $1 AND merchant_id = $2

-- name: release
UPDATE risk_cases SET version = $3, claimed_by = NULL, claimed_until = NULL WHERE id = $1 AND merchant_id = $2

-- name: note
UPDATE risk_cases SET version = $3 WHERE id = $1 AND merchant_id = $2

-- name: decide
UPDATE risk_cases SET
    version = $3, claimed_by = NULL, claimed_until = NULL, verdict = $4, decided_by = $5, decided_at = now()
WHERE id = $1 AND merchant_id = $2

-- name: reopen
UPDATE risk_cases SET
    version = $3, verdict = NULL, decided_by = NULL, decided_at = NULL, reopened_at = now(), due_at = risk_case_due($4)
WHERE id = $1 AND merchant_id = $2

-- name: add_step
INSERT INTO risk_case_steps (case_id, merchant_id, seq, kind, by, detail, note_sealed)
VALUES ($1, $2, $3, $4, $5, $6::json, $7)

-- name: steps
SELECT seq, kind, by, at, detail, note_sealed FROM risk_case_steps WHERE case_id = $1 AND merchant_id = $2 ORDER BY seq

-- name: complaint_by_number
SELECT id, case_id, payment_id, reason, channel, channel_complaint_id, fingerprint, said_sealed, by, at
FROM risk_complaints
WHERE merchant_id = $1 AND channel = $2 AND channel_complaint_id = $3

-- name: complaints
SELECT id, case_id, payment_id, reason, channel, channel_complaint_id, fingerprint, said_sealed, by, at
FROM risk_complaints
WHERE payment_id = $1 AND merchant_id = $2
ORDER BY id

-- name: add_complaint
INSERT INTO risk_complaints (
    id, merchant_id, case_id, payment_id, reason, channel, channel_complaint_id, fingerprint, said_sealed, by
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
RETURNING id, case_id, payment_id, reason, channel, channel_complaint_id, fingerprint, said_sealed, by, at

-- name: recent_payments
-- Of the customer, among the last payments of the merchant before that one and the first after it: there is no index by
-- customer, which every payment would have to keep up for the few that are looked at.
SELECT id, created_at, status, amount, amount_refunded, wallet, method, store_id, terminal_id, risk_decision, risk_score
FROM (
    (SELECT * FROM payments WHERE merchant_id = $1 AND id < $2 ORDER BY id DESC LIMIT $4)
    UNION ALL
    (SELECT * FROM payments WHERE merchant_id = $1 AND id > $2 ORDER BY id LIMIT $4)
) near
WHERE customer = $3
ORDER BY id DESC
LIMIT $5

-- name: customer
SELECT customer FROM payments WHERE id = $1 AND merchant_id = $2

-- name: terms
SELECT kind, due_hours, claim_minutes FROM risk_case_terms ORDER BY kind DESC

-- name: set_terms
UPDATE risk_case_terms SET due_hours = $2, claim_minutes = $3 WHERE kind = $1

-- name: gauges
SELECT
    kind, count(*) AS open, count(*) FILTER (WHERE due_at <= now()) AS overdue,
    coalesce(extract(epoch FROM now() - min(coalesce(reopened_at, opened_at))), 0)::float8 AS oldest_s
FROM risk_cases
WHERE decided_at IS NULL
GROUP BY kind

-- name: untold
-- Complaints that the velocity counters have not acknowledged.  Those of the payments $2 are put off.
SELECT c.id, c.merchant_id, c.payment_id, c.at, p.amount AS amount_fen
FROM risk_complaints c
JOIN payments p ON p.id = c.payment_id AND p.merchant_id = c.merchant_id
WHERE c.told_at IS NULL AND c.payment_id <> ALL ($2::text[])
ORDER BY c.at
LIMIT $1
FOR UPDATE OF c SKIP LOCKED

-- name: told
UPDATE risk_complaints SET told_at = now() WHERE id = $1 AND merchant_id = $2

-- name: realm
-- What the ids of a merchant's customers belong to.
SELECT coalesce(customer_realm, id) FROM merchants WHERE id = $1
