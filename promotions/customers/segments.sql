-- Who is in which segment (segments.py).  Customers are locked in the order of their hashes, as outcomes lock them.

-- name: list
SELECT name, customers, created_at, changed_at FROM segments ORDER BY name

-- name: hold
-- Nobody else changes who is in it, until the transaction ends: soon, for outcomes wait for the customers' rows.
SELECT s.customers FROM segments s, hurry() WHERE s.name = $1 FOR NO KEY UPDATE OF s

-- name: create
-- No row where it is there, or where there are $2 segments.
INSERT INTO segments (name)
SELECT $1 WHERE (SELECT count(*) FROM segments) < $2
ON CONFLICT (name) DO NOTHING
RETURNING name

-- name: add
-- One row for each customer who was not in it: in how many segments he is now.  Somebody who has paid nothing yet gets
-- a row without orders.  Joined, for what array_append() makes is stored in another form than what the next payment's
-- update writes: it would be no heap-only one.
INSERT INTO customers AS c (customer, segments)
SELECT g.customer, ARRAY[$2::text] FROM unnest($1::bytea[]) AS g (customer) ORDER BY g.customer
ON CONFLICT (customer) DO UPDATE SET segments = c.segments || ARRAY[$2::text]
WHERE NOT c.segments @> ARRAY[$2::text]
RETURNING cardinality(segments) AS segments

-- name: remove
-- How many of these customers were in it.
WITH held AS MATERIALIZED (
    SELECT customer FROM customers
    WHERE customer = ANY ($1::bytea[]) AND segments @> ARRAY[$2::text]
    ORDER BY customer
    FOR NO KEY UPDATE
),
removed AS (
    UPDATE customers c SET segments = array_remove(c.segments, $2::text)
    FROM held h WHERE c.customer = h.customer
    RETURNING 1
)
SELECT count(*) FROM removed

-- name: any_of
-- Some of a segment's customers, no more than $2.
SELECT customer FROM customers WHERE segments <> '{}' AND segments @> ARRAY[$1::text] LIMIT $2

-- name: count
UPDATE segments SET customers = customers + $2, changed_at = now() WHERE name = $1

-- name: delete
DELETE FROM segments WHERE name = $1

-- name: find
SELECT segments FROM customers WHERE customer = $1
