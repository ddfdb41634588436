-- The audit trail (store.py, chain.py).  Entries are added by one transaction at a time, so that the numbers are dense.

-- name: lock
SELECT pg_advisory_xact_lock(hashtextextended('audit trail', 0))

-- name: head
-- Read after the lock was taken, by a statement of its own: then it sees what the holder before has committed.
SELECT clock_timestamp() AS at, coalesce(last.seq, 0) AS seq, last.hash
FROM (VALUES (1)) AS one
LEFT JOIN (SELECT seq, hash FROM audit_trail ORDER BY seq DESC LIMIT 1) AS last ON true

-- name: add
INSERT INTO audit_trail (seq, at, actor, person, address, action, subject, detail, hash)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8::text::json, $9)

-- name: newest
SELECT seq, at, actor, person, address, action, subject, detail::text AS detail, hash
FROM audit_trail
WHERE seq < $1
    AND ($2::text IS NULL OR subject = $2)
    AND ($3::text IS NULL OR action = $3)
    AND ($4::timestamptz IS NULL OR at >= $4)
    AND ($5::timestamptz IS NULL OR at < $5)
ORDER BY seq DESC
LIMIT $6

-- name: count
SELECT count(*) FROM audit_trail

-- name: following
SELECT seq, at, actor, person, address, action, subject, detail::text AS detail, hash
FROM audit_trail
WHERE seq > $1
ORDER BY seq
LIMIT $2
