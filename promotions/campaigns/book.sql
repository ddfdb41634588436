-- What the campaigns in force are read with (book.py).

-- name: fingerprint
-- Another number as soon as a campaign that may be in force has changed; other changes of the directory leave it.
SELECT count(*) || ':' || coalesce(sum(hashtextextended(id || ' ' || revision, 0)), 0)
FROM campaigns WHERE status IN ('active', 'paused')

-- name: revisions
SELECT id, revision FROM campaigns WHERE status IN ('active', 'paused') ORDER BY id

-- name: some
-- The budget stands beside the document, as it is after top-ups.
SELECT id, status, version, revision, document, budget, budget_per_day, count, count_per_day, slices
FROM campaigns WHERE id = ANY($1) AND status IN ('active', 'paused')
