-- Versions of the routing policy, and which was in force when (store.py).

-- name: lock
-- Whoever publishes comes one after the other; the lock ends with the transaction.
SELECT pg_advisory_xact_lock(hashtextextended('routing policy', 0))

-- name: in_force
SELECT version, document, created_at, published_at
FROM routing_publications JOIN routing_policies USING (version)
ORDER BY seq DESC LIMIT 1

-- name: in_force_before
-- What was published before the last, the newest first, but for one version.
SELECT version, document
FROM routing_publications JOIN routing_policies USING (version)
WHERE version <> $1
ORDER BY seq DESC LIMIT $2

-- name: find
-- With when it was published last.
SELECT version, document, created_at, (
    SELECT published_at FROM routing_publications WHERE version = $1 ORDER BY seq DESC LIMIT 1
) AS published_at
FROM routing_policies WHERE version = $1

-- name: list
SELECT version, document, created_at, (
    SELECT published_at FROM routing_publications AS each WHERE each.version = policy.version
    ORDER BY seq DESC LIMIT 1
) AS published_at
FROM routing_policies AS policy
WHERE $1::integer IS NULL OR version < $1
ORDER BY version DESC LIMIT $2

-- name: save
INSERT INTO routing_policies (version, document)
SELECT coalesce(max(version), 0) + 1, $1 FROM routing_policies
RETURNING version

-- name: publish
INSERT INTO routing_publications (version) VALUES ($1)

-- name: before
-- What was in force when that version was first published.
SELECT version FROM routing_publications
WHERE seq < (SELECT min(seq) FROM routing_publications WHERE version = $1)
ORDER BY seq DESC LIMIT 1

-- name: known_accounts
SELECT id FROM channel_accounts
