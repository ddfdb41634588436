-- Each audit of the books that came to its end leaves one row; the worker tells of the newest (docs/audit.md).

CREATE TABLE audit_runs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    audited_at timestamptz NOT NULL,      -- the database's time of its last snapshot
    ended_at timestamptz NOT NULL DEFAULT now(),
    kind text NOT NULL CHECK (kind IN ('three_books', 'own_books')),
    first_day date,                       -- days of Beijing; null: all there is
    last_day date,
    payments bigint NOT NULL,
    compared jsonb NOT NULL,              -- how much, by check
    mismatches jsonb NOT NULL,            -- how many, by check, where there are any
    findings bigint NOT NULL,
    agreed boolean NOT NULL,
    CHECK ((first_day IS NULL) = (last_day IS NULL)),
    CHECK (agreed = (findings = 0))
);
