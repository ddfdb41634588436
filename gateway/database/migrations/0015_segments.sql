-- The segments that a manager puts customers in (customers.segments): which there are, and how many customers each has.

-- `customers` is counted by whoever changes customers.segments, in that transaction, holding the segment's row
-- (promotions/customers/segments.sql): nobody goes through ten million customers to show a list of segments.
CREATE TABLE segments (
    name text COLLATE "C" PRIMARY KEY,
    customers bigint NOT NULL DEFAULT 0 CHECK (customers >= 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
-- What was written by hand, before there was another way.
INSERT INTO segments (name, customers)
SELECT name, count(*) FROM customers, unnest(segments) AS name GROUP BY name;

-- Finds the customers of a segment that is being deleted.  It has only those who are in any, and a payment changes no
-- segments: what it writes to a customer's row stays as cheap as it was (a heap-only update).
CREATE INDEX customers_by_segment ON customers USING gin (segments) WHERE segments <> '{}';
