-- Lists (book.py, keeping.py, compiling.py, importing.py).  A part holds the hashes from part << 52 on, 2^52 of them.

-- name: in_force
-- What each process looks at after a change in the directory.
SELECT l.name, l.edition, e.revision, e.widths FROM risk_lists l JOIN risk_list_editions e ON e.id = l.edition

-- name: changed_parts
-- Behind a field and a part, so many; `entries` tells how much can be fetched at once.
SELECT field, part, entries FROM risk_list_parts
WHERE edition = $1 AND revision > $2 AND (field, part) > ($3::smallint, $4::smallint)
ORDER BY field, part
LIMIT $5

-- name: parts
SELECT part, hashes, expiries FROM risk_list_parts WHERE edition = $1 AND field = $2 AND part = ANY ($3::smallint[])

-- name: hold
-- One changes a list at a time: what is compiled must have seen what others have written.  Several are held in the order
-- of their names, and before any of them is changed: a change holds up every other one that processes are to hear of.
SELECT l.name, l.description, l.edition, l.created_at, e.revision, e.entries
FROM risk_lists l JOIN risk_list_editions e ON e.id = l.edition
WHERE l.name = ANY ($1::text[])
ORDER BY l.name
FOR NO KEY UPDATE OF l

-- name: list
SELECT l.name, l.description, l.edition, l.created_at, e.revision, e.entries
FROM risk_lists l JOIN risk_list_editions e ON e.id = l.edition
WHERE $1::text IS NULL OR l.name = $1
ORDER BY l.name

-- name: counts
SELECT edition, field, sum(entries)::bigint AS entries FROM risk_list_parts WHERE edition = ANY ($1::int[])
GROUP BY edition, field HAVING sum(entries) > 0 ORDER BY edition, field

-- name: new_edition
INSERT INTO risk_list_editions DEFAULT VALUES RETURNING id

-- name: new_list
INSERT INTO risk_lists (name, description, edition) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING RETURNING name

-- name: delete_list
DELETE FROM risk_lists WHERE name = $1

-- name: filling
-- The edition that an import is about to put in the list's place.
SELECT edition FROM risk_list_imports WHERE list = $1 AND mode = 'replace' AND status IN ('open', 'compiling')

-- name: realms
-- What the ids of these merchants' customers belong to.
SELECT id, coalesce(customer_realm, id) AS realm FROM merchants WHERE id = ANY ($1::text[])

-- name: new_change
INSERT INTO risk_list_changes (list, person, reason) VALUES ($1, $2, $3) RETURNING id

-- name: put
-- An entry that stands there already is renewed.
WITH given AS (
    SELECT field, hash, to_timestamp(expires_s) AS expires_at, value, reason
    FROM unnest($3::smallint[], $4::bigint[], $5::bigint[], $6::bytea[], $7::text[])
        AS g (field, hash, expires_s, value, reason)
), put AS (
    INSERT INTO risk_list_entries AS e (edition, change, field, hash, expires_at, value, reason)
    SELECT $1, $2, field, hash, expires_at, value, reason FROM given
    ON CONFLICT (edition, field, hash) DO UPDATE SET
        change = excluded.change, expires_at = excluded.expires_at, value = coalesce(excluded.value, e.value),
        reason = excluded.reason
    RETURNING field, hash, xmax = 0 AS is_new
), stale AS (
    INSERT INTO risk_list_stale (edition, field, part)
    SELECT DISTINCT $1::int, field, (hash >> 52)::smallint FROM put
    ON CONFLICT DO NOTHING
), counted AS (
    SELECT count(*) FILTER (WHERE is_new) AS added, count(*) FILTER (WHERE NOT is_new) AS renewed FROM put
)
UPDATE risk_list_editions d SET
    entries = d.entries + c.added,
    widths = ARRAY(SELECT DISTINCT width FROM unnest(d.widths || $8::text[]) AS width ORDER BY width)
FROM counted c
WHERE d.id = $1
RETURNING c.added, c.renewed, d.entries

-- name: remove
WITH removed AS (
    DELETE FROM risk_list_entries e USING unnest($2::smallint[], $3::bigint[]) AS g (field, hash)
    WHERE e.edition = $1 AND e.field = g.field AND e.hash = g.hash
    RETURNING e.field, e.hash
), stale AS (
    INSERT INTO risk_list_stale (edition, field, part)
    SELECT DISTINCT $1::int, field, (hash >> 52)::smallint FROM removed
    ON CONFLICT DO NOTHING
), counted AS (
    SELECT count(*) AS removed FROM removed
)
UPDATE risk_list_editions d SET entries = d.entries - c.removed
FROM counted c
WHERE d.id = $1
RETURNING c.removed

-- name: compile
-- So many of the parts that are stale, or of those of them that are given (field * 65536 + part); they are of the next
-- revision.
WITH stale AS (
    DELETE FROM risk_list_stale WHERE (edition, field, part) IN (
        SELECT edition, field, part FROM risk_list_stale
        WHERE edition = $1 AND ($3::int[] IS NULL OR field * 65536 + part = ANY ($3))
        ORDER BY field, part
        LIMIT $2
    )
    RETURNING field, part
), compiled AS (
    INSERT INTO risk_list_parts AS p (revision, edition, entries, field, part, hashes, expiries)
    SELECT d.revision + 1, $1, c.entries, s.field, s.part, coalesce(c.hashes, ''), c.expiries
    FROM stale s
    JOIN risk_list_editions d ON d.id = $1
    CROSS JOIN LATERAL (
        SELECT count(*) AS entries,
            string_agg(int8send(e.hash), '' ORDER BY e.hash) AS hashes,
            CASE WHEN count(e.expires_at) > 0 THEN string_agg(
                int4send(coalesce(extract(epoch FROM e.expires_at) - 1577836800, 2147483647)::integer), ''
                ORDER BY e.hash
            ) END AS expiries
        FROM risk_list_entries e
        WHERE e.edition = $1 AND e.field = s.field
            AND e.hash BETWEEN s.part::bigint << 52 AND (s.part::bigint << 52) + 4503599627370495
    ) c
    ON CONFLICT (edition, field, part) DO UPDATE SET
        revision = excluded.revision, entries = excluded.entries, hashes = excluded.hashes,
        expiries = excluded.expiries
    RETURNING 1
)
SELECT count(*) FROM compiled

-- name: stale
SELECT count(*) FROM risk_list_stale WHERE edition = $1

-- name: raise_revision
UPDATE risk_list_editions SET revision = revision + 1 WHERE id = $1

-- name: found
-- Which lists hold one of these hashes, and why.
SELECT l.name, e.field, e.hash, e.expires_at, e.value, coalesce(e.reason, c.reason) AS reason, c.person, c.at
FROM risk_lists l
JOIN risk_list_entries e ON e.edition = l.edition AND e.field = $1 AND e.hash = ANY ($2::bigint[])
JOIN risk_list_changes c ON c.id = e.change
ORDER BY l.name, e.hash

-- name: page
SELECT l.name, e.field, e.hash, e.expires_at, e.value, coalesce(e.reason, c.reason) AS reason, c.person, c.at
FROM risk_lists l
JOIN risk_list_entries e ON e.edition = l.edition
JOIN risk_list_changes c ON c.id = e.change
WHERE l.name = $1 AND e.field = ANY ($2::smallint[]) AND (e.field, e.hash) > ($3::smallint, $4::bigint)
ORDER BY e.field, e.hash
LIMIT $5

-- name: new_import
INSERT INTO risk_list_imports (id, list, mode, status, edition, change, source)
VALUES ($1, $2, $3, 'open', $4, $5, $6)

-- name: import
SELECT i.id, i.list, i.mode, i.status, i.edition, i.batches, i.added, i.renewed, i.change, i.source, c.reason, c.at,
    CASE WHEN i.status = 'compiling' THEN (SELECT count(*) FROM risk_list_stale s WHERE s.edition = i.edition) END AS left
FROM risk_list_imports i JOIN risk_list_changes c ON c.id = i.change
WHERE i.id = $1 AND i.list = $2

-- name: open_import
SELECT id FROM risk_list_imports WHERE list = $1 AND status IN ('open', 'compiling')

-- name: batch_done
UPDATE risk_list_imports SET batches = batches + 1, added = added + $2, renewed = renewed + $3, touched_at = now()
WHERE id = $1

-- name: import_is
UPDATE risk_list_imports SET status = $2, touched_at = now() WHERE id = $1

-- name: take_place
UPDATE risk_lists SET edition = $2 WHERE name = $1

-- name: abandon_old
-- Nobody has gone on with these for so long.
UPDATE risk_list_imports SET status = 'abandoned'
WHERE status IN ('open', 'compiling') AND touched_at < now() - $1::interval

-- name: sweep_expired
-- What has expired an hour ago goes; its parts are compiled once there is no more of it.
WITH expired AS (
    SELECT field, hash FROM risk_list_entries
    WHERE edition = $1 AND expires_at < now() - interval '1 hour'
    ORDER BY expires_at
    LIMIT $2
), removed AS (
    DELETE FROM risk_list_entries e USING expired g
    WHERE e.edition = $1 AND e.field = g.field AND e.hash = g.hash
    RETURNING e.field, e.hash
), stale AS (
    INSERT INTO risk_list_stale (edition, field, part)
    SELECT DISTINCT $1::int, field, (hash >> 52)::smallint FROM removed
    ON CONFLICT DO NOTHING
), counted AS (
    SELECT count(*) AS removed FROM removed
)
UPDATE risk_list_editions d SET entries = d.entries - c.removed
FROM counted c
WHERE d.id = $1
RETURNING c.removed

-- name: dead_editions
-- Of lists that are gone, replaced or were never finished.
SELECT id FROM risk_list_editions d
WHERE NOT EXISTS (SELECT FROM risk_lists l WHERE l.edition = d.id)
    AND NOT EXISTS (SELECT FROM risk_list_imports i WHERE i.edition = d.id AND i.status IN ('open', 'compiling'))

-- name: take_edition
-- One worker drops it at a time: whoever finds nothing left of it is the last.
SELECT id FROM risk_list_editions WHERE id = $1 FOR UPDATE SKIP LOCKED

-- name: sweep_edition
WITH gone AS (
    SELECT field, hash FROM risk_list_entries WHERE edition = $1 ORDER BY field, hash LIMIT $2
), removed AS (
    DELETE FROM risk_list_entries e USING gone g WHERE e.edition = $1 AND e.field = g.field AND e.hash = g.hash
    RETURNING 1
)
SELECT count(*) FROM removed

-- name: forget_parts
DELETE FROM risk_list_parts WHERE edition = $1

-- name: forget_stale
DELETE FROM risk_list_stale WHERE edition = $1

-- name: forget_edition
DELETE FROM risk_list_editions WHERE id = $1
