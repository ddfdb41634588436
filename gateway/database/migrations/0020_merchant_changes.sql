-- Which merchants changed, they themselves, their keys or their stores: each process forgets those, and not everybody.

-- Numbered without a gap in the order of commits, for the row of directory_revision is locked until then.  The worker
-- deletes what is an hour old: whoever finds a gap forgets everybody.
ALTER TABLE directory_revision ADD COLUMN merchants bigint NOT NULL DEFAULT 0;
CREATE TABLE merchant_changes (
    number bigint NOT NULL,
    merchant_id text COLLATE "C", -- null: too many to name them
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX merchant_changes_by_number ON merchant_changes (number);
CREATE INDEX merchant_changes_by_age ON merchant_changes (at);

-- Of a table whose trigger names the column with the merchant's id.
CREATE FUNCTION note_changed_merchants() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    told bigint;
    ids text[];
BEGIN
    EXECUTE format('SELECT array_agg(DISTINCT %I) FROM changed', TG_ARGV[0]) INTO ids;
    IF ids IS NULL THEN
        RETURN NULL;
    END IF;
    UPDATE directory_revision SET revision = revision + 1, merchants = merchants + 1 RETURNING merchants INTO told;
    IF cardinality(ids) > 1000 THEN
        ids := ARRAY[NULL];
    END IF;
    INSERT INTO merchant_changes (number, merchant_id) SELECT told, unnest(ids);
    RETURN NULL;
END
$$;
