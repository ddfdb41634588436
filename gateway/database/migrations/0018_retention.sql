-- Which months of payments were taken out of the database (gateway/retention), and where they lie now.

-- `archive` is null where nobody wanted one.  `finished_at` is null from the moment the month is cut off until its tables
-- are gone: whoever comes upon such a row goes on with it.
CREATE TABLE retired_months (
    month text PRIMARY KEY CHECK (month ~ '^\d{4}_\d\d$'),
    archive text,
    rows json,
    detached_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
);
