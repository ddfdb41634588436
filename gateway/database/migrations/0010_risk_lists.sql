-- Lists of the risk check: what stands on `block`, `allow`, `watch` and those that were made (docs/risk-lists.md).

-- What a list holds.  A list has one edition at a time; an import that replaces it fills another one, which then takes its
-- place.  `revision` rises with every change of its parts; `widths` are the lengths of ranges and BINs among its entries
-- (risk/lists/entry.py), and never fewer than those.
CREATE TABLE risk_list_editions (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    revision bigint NOT NULL DEFAULT 0,
    entries bigint NOT NULL DEFAULT 0 CHECK (entries >= 0),
    widths text[] NOT NULL DEFAULT '{}'
);
CREATE TRIGGER risk_lists_changed AFTER UPDATE OF revision ON risk_list_editions
    FOR EACH STATEMENT EXECUTE FUNCTION raise_directory_revision();

CREATE TABLE risk_lists (
    name text COLLATE "C" PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9_-]{0,39}$'),
    description text NOT NULL,
    edition integer NOT NULL UNIQUE REFERENCES risk_list_editions (id),
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TRIGGER risk_lists_changed AFTER INSERT OR UPDATE OR DELETE ON risk_lists
    FOR EACH STATEMENT EXECUTE FUNCTION raise_directory_revision();

-- Who put entries on lists, when and why: one row for all entries of a request or an import.
CREATE TABLE risk_list_changes (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    list text COLLATE "C" NOT NULL,
    person text,
    reason text NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);

-- The authority.  `hash` is the first 64 bits of the keyed hash of the value; `value` the value itself, sealed where it is a
-- person's; `reason` only where it is another one than the change's.  Ten million rows: columns in the order of their size,
-- and no foreign keys, whose checks would take longer than the rows.
CREATE TABLE risk_list_entries (
    hash bigint NOT NULL,
    expires_at timestamptz,
    edition integer NOT NULL,
    change integer NOT NULL,
    field smallint NOT NULL,
    value bytea,
    reason text,
    PRIMARY KEY (edition, field, hash)
);
CREATE INDEX risk_list_entries_expiring ON risk_list_entries (edition, expires_at) WHERE expires_at IS NOT NULL;

-- The same compiled, in parts by the first 12 bits of the hash: hashes in order, 8 bytes each, and beside them when each
-- expires, 4 bytes (seconds since 2020, null where none does).  Processes fetch what has a higher revision than theirs.
CREATE TABLE risk_list_parts (
    revision bigint NOT NULL,
    edition integer NOT NULL REFERENCES risk_list_editions (id),
    entries integer NOT NULL,
    field smallint NOT NULL,
    part smallint NOT NULL,
    hashes bytea NOT NULL,
    expiries bytea,
    PRIMARY KEY (edition, field, part)
);
ALTER TABLE risk_list_parts ALTER COLUMN hashes SET STORAGE EXTERNAL, ALTER COLUMN expiries SET STORAGE EXTERNAL;
CREATE INDEX risk_list_parts_by_revision ON risk_list_parts (edition, revision);

-- Parts that are not compiled yet since their entries changed.
CREATE TABLE risk_list_stale (
    edition integer NOT NULL REFERENCES risk_list_editions (id),
    field smallint NOT NULL,
    part smallint NOT NULL,
    PRIMARY KEY (edition, field, part)
);

-- Imports.  `batches` have arrived, numbered from 1; `edition` is the list's own where they are merged into it; `source`
-- is what is imported, in the caller's words: who begins the same again while it is under way goes on with it.
CREATE TABLE risk_list_imports (
    id text COLLATE "C" PRIMARY KEY,
    list text COLLATE "C" NOT NULL,
    mode text NOT NULL CHECK (mode IN ('merge', 'replace')),
    status text NOT NULL CHECK (status IN ('open', 'compiling', 'done', 'abandoned')),
    edition integer NOT NULL,
    change integer NOT NULL REFERENCES risk_list_changes (id),
    source text,
    batches integer NOT NULL DEFAULT 0,
    added bigint NOT NULL DEFAULT 0,
    renewed bigint NOT NULL DEFAULT 0,
    touched_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX risk_list_imports_open ON risk_list_imports (list) WHERE status IN ('open', 'compiling');

DO $$
DECLARE
    named text[];
    of_edition integer;
BEGIN
    FOREACH named SLICE 1 IN ARRAY ARRAY[
        ['allow', 'Known to be good.'], ['block', 'Not to be taken.'], ['watch', 'To be looked at.']
    ] LOOP
        INSERT INTO risk_list_editions DEFAULT VALUES RETURNING id INTO of_edition;
        INSERT INTO risk_lists (name, description, edition) VALUES (named[1], named[2], of_edition);
    END LOOP;
END
$$;
