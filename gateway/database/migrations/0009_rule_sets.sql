-- Versions of the risk rules, which of them was in force when, and what was compiled of them.

-- A version never changes: a decision is replayed by it.  `head` is the document without its rules; those stand in
-- pieces of so many that one can be read and sent at once, however large the set is.  `failures` is what its tests have
-- shown when it was saved: with any of them it is never published.
CREATE TABLE risk_rule_sets (
    version integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    head json NOT NULL,
    rule_count integer NOT NULL CHECK (rule_count >= 0),
    test_count integer NOT NULL CHECK (test_count >= 0),
    failures json NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE risk_rule_pieces (
    version integer NOT NULL REFERENCES risk_rule_sets (version),
    piece integer NOT NULL CHECK (piece >= 0),
    rules json NOT NULL,
    PRIMARY KEY (version, piece)
);

-- What was published, in order: the last is in force.
CREATE TABLE risk_publications (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version integer NOT NULL REFERENCES risk_rule_sets (version),
    published_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX risk_publications_by_version ON risk_publications (version, seq);
CREATE TRIGGER risk_publications_changed AFTER INSERT OR UPDATE OR DELETE ON risk_publications
    FOR EACH STATEMENT EXECUTE FUNCTION raise_directory_revision();

CREATE FUNCTION refuse_change_of_rule_set() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a version of the risk rules never changes' USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER risk_rule_sets_stay BEFORE UPDATE OR DELETE ON risk_rule_sets
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_rule_set();
CREATE TRIGGER risk_rule_pieces_stay BEFORE UPDATE OR DELETE ON risk_rule_pieces
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_rule_set();

-- A large set as it was compiled, in pieces; `format` names the code that can load it.  It can be made again at any
-- time, so it is no part of the version.
CREATE TABLE risk_artefacts (
    version integer NOT NULL REFERENCES risk_rule_sets (version),
    format text COLLATE "C" NOT NULL,
    piece integer NOT NULL CHECK (piece >= 0),
    data bytea NOT NULL,
    PRIMARY KEY (version, format, piece)
);
ALTER TABLE risk_artefacts ALTER COLUMN data SET STORAGE EXTERNAL;

-- Before anything is published, nothing is screened.
INSERT INTO risk_rule_sets (version, head, rule_count, test_count, failures) OVERRIDING SYSTEM VALUE
VALUES (0, '{"note": "No rules.", "thresholds": {"review": null, "decline": null}, "model": null}', 0, 0, '[]');
INSERT INTO risk_publications (version) VALUES (0);
