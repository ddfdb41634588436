-- Versions of the risk rules, and which was in force when (store.py).

-- name: lock
-- Whoever publishes comes one after the other; the lock ends with the transaction.
SELECT pg_advisory_xact_lock(hashtextextended('risk rules', 0))

-- name: in_force
SELECT version, head, rule_count, test_count, failures, created_at, published_at, true AS in_force
FROM risk_publications JOIN risk_rule_sets USING (version)
ORDER BY seq DESC LIMIT 1

-- name: find
-- With when it was published last, null for a draft.
SELECT version, head, rule_count, test_count, failures, created_at, (
    SELECT published_at FROM risk_publications AS each WHERE each.version = kept.version
    ORDER BY seq DESC LIMIT 1
) AS published_at, version = (
    SELECT version FROM risk_publications ORDER BY seq DESC LIMIT 1
) AS in_force
FROM risk_rule_sets AS kept WHERE version = $1

-- name: list
SELECT version, head, rule_count, test_count, failures, created_at, (
    SELECT published_at FROM risk_publications AS each WHERE each.version = kept.version
    ORDER BY seq DESC LIMIT 1
) AS published_at, version = (
    SELECT version FROM risk_publications ORDER BY seq DESC LIMIT 1
) AS in_force
FROM risk_rule_sets AS kept
WHERE $1::integer IS NULL OR version < $1
ORDER BY version DESC LIMIT $2

-- name: pieces
-- The rules of a version from a piece on, in order.
SELECT piece, rules FROM risk_rule_pieces
WHERE version = $1 AND piece >= $2
ORDER BY piece LIMIT $3

-- name: save
INSERT INTO risk_rule_sets (head, rule_count, test_count, failures, lists) VALUES ($1, $2, $3, $4, $5)
RETURNING version

-- name: save_piece
INSERT INTO risk_rule_pieces (version, piece, rules) VALUES ($1, $2, $3)

-- name: save_artefact
INSERT INTO risk_artefacts (version, format, piece, data) VALUES ($1, $2, $3, $4)

-- name: publish
INSERT INTO risk_publications (version) VALUES ($1)

-- name: known
-- What a rule set can name.
SELECT ARRAY(SELECT name FROM risk_lists) AS lists, ARRAY(SELECT version FROM risk_models) AS models

-- name: lists_named
-- Null where it is not known.
SELECT lists FROM risk_rule_sets WHERE version = $1

-- name: hold_lists
-- Those of them that there are; whoever is about to delete one waits until the transaction ends, and looks again then.
SELECT name FROM risk_lists WHERE name = ANY ($1::text[]) ORDER BY name FOR SHARE

-- name: has_model
SELECT EXISTS (SELECT FROM risk_models WHERE version = $1)

-- name: asked_in_force
-- Whether the version in force asks for a list, as far as that is known.
SELECT coalesce($1::text = ANY (lists), false)
FROM risk_publications JOIN risk_rule_sets USING (version)
ORDER BY seq DESC LIMIT 1

-- name: difference
-- The rules that two versions do not have in common, by code: before (the second one) and after (the first one).
WITH after AS MATERIALIZED (
    SELECT rule ->> 'code' AS code, rule::text AS rule
    FROM risk_rule_pieces, json_array_elements(rules) AS rule WHERE version = $1
), before AS MATERIALIZED (
    SELECT rule ->> 'code' AS code, rule::text AS rule
    FROM risk_rule_pieces, json_array_elements(rules) AS rule WHERE version = $2
), differing AS MATERIALIZED (
    SELECT code, before.rule AS before, after.rule AS after
    FROM after FULL JOIN before USING (code)
    WHERE after.rule IS DISTINCT FROM before.rule
), counted AS (
    SELECT count(*) FILTER (WHERE before IS NULL) AS added,
        count(*) FILTER (WHERE after IS NULL) AS removed,
        count(*) FILTER (WHERE before IS NOT NULL AND after IS NOT NULL) AS changed
    FROM differing
)
SELECT added, removed, changed, code, before, after
FROM counted LEFT JOIN LATERAL (
    SELECT * FROM differing
    WHERE $3::text IS NULL OR code COLLATE "C" > $3
    ORDER BY code COLLATE "C" LIMIT $4
) AS shown ON true
