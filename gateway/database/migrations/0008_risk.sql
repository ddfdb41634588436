-- What the risk check decided about payments, and what it looks at of merchants and stores.

-- Append-only.  `features` is what was seen beyond the request itself, as JSON values in the order of the rule set's
-- names: with the request and the rule set it gives the decision again, bit for bit.
CREATE TABLE risk_decisions (
    payment_id text COLLATE "C" NOT NULL,
    merchant_id text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    verdict text NOT NULL CHECK (verdict IN ('approve', 'review', 'decline')),
    score smallint NOT NULL,
    hits text[],
    shadow text[],
    no_discount boolean NOT NULL,
    features text,
    missed text CHECK (missed IN ('deadline', 'away')),
    beyond_tolerance boolean NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (payment_id, merchant_id)
) PARTITION BY RANGE (payment_id);
-- Rows come in the order of their time, so that a page's bounds find a day's.
CREATE INDEX risk_decisions_at ON risk_decisions USING brin (at) WITH (autosummarize = on);

CREATE FUNCTION refuse_change_of_decision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'decisions are append-only' USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER risk_decisions_append_only BEFORE UPDATE OR DELETE ON risk_decisions
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_decision();

-- What a merchant takes while features are away: payments up to an amount (fen), any (null), or none (0).
ALTER TABLE merchants
    ADD COLUMN risk_open_amount_max bigint DEFAULT 500000 CHECK (risk_open_amount_max >= 0),
    ADD COLUMN risk_tier text;
CREATE TRIGGER merchants_screened AFTER UPDATE OF risk_open_amount_max, risk_tier ON merchants
    FOR EACH STATEMENT EXECUTE FUNCTION raise_places_revision();

ALTER TABLE stores
    ADD COLUMN latitude double precision CHECK (latitude BETWEEN -90 AND 90),
    ADD COLUMN longitude double precision CHECK (longitude BETWEEN -180 AND 180),
    ADD CHECK ((latitude IS NULL) = (longitude IS NULL));

-- The worker follows what became of payments by the time at which it did.
CREATE INDEX events_at ON events USING brin (at) WITH (autosummarize = on);
