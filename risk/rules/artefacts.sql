-- Rule sets as processes take them over (fetching.py, book.py).

-- name: in_force
SELECT version FROM risk_publications ORDER BY seq DESC LIMIT 1

-- name: piece_count
SELECT count(*)::integer FROM risk_artefacts WHERE version = $1 AND format = $2

-- name: piece
SELECT data FROM risk_artefacts WHERE version = $1 AND format = $2 AND piece = $3

-- name: forget
-- What nobody could read makes room.
DELETE FROM risk_artefacts WHERE version = $1 AND format = $2

-- name: keep
INSERT INTO risk_artefacts (version, format, piece, data) VALUES ($1, $2, $3, $4)

-- name: sweep
-- What other code has compiled more than a day ago.  Of the set in force it stays: that code may be rolled back to.
DELETE FROM risk_artefacts
WHERE format <> $1 AND compiled_at < now() - interval '1 day'
    AND version <> (SELECT version FROM risk_publications ORDER BY seq DESC LIMIT 1)

-- name: claim
-- Whoever compiles a version does it alone; the claim ends with the connection, if not before.
SELECT pg_try_advisory_lock(hashtextextended('compiling risk rules', $1::integer))

-- name: disclaim
SELECT pg_advisory_unlock(hashtextextended('compiling risk rules', $1::integer))

-- name: head
SELECT head FROM risk_rule_sets WHERE version = $1

-- name: rules
-- A JSON array, null behind the last.
SELECT rules FROM risk_rule_pieces WHERE version = $1 AND piece = $2
