-- The router: what accounts charge and when they take what, policies, why a route was chosen, the audit trail.

-- `terms` is what a channel account charges, takes and when (routing/accounts/terms.py); the fee of a row without is
-- `fee_rate_millionths` alone.
ALTER TABLE channel_accounts ADD COLUMN terms json;

-- Whether any wallet can pay the code (聚合码): then attempts come and go while it is on display.
ALTER TABLE payments ADD COLUMN any_wallet boolean NOT NULL DEFAULT false;
UPDATE payments SET any_wallet = true WHERE method = 'qrcode' AND (attempt_seq = 0 OR attempt_at IS NOT NULL);

-- Why this account was asked (routing/choice.py): candidates, what ruled them out, scores.
ALTER TABLE attempts ADD COLUMN routing json;

-- What each account took in, by day of the account's time zone; written by every process each second, so it may lag.
CREATE TABLE account_days (
    account_id text COLLATE "C" NOT NULL,
    day date NOT NULL,
    captured_fen bigint NOT NULL DEFAULT 0,
    captured_count bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, day)
);

-- Versions of the routing policy are never changed; the one published last is in force.  The first steers nothing.
CREATE TABLE routing_policies (
    version integer PRIMARY KEY,
    document json NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE routing_publications (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version integer NOT NULL REFERENCES routing_policies (version),
    published_at timestamptz NOT NULL DEFAULT now()
);
CREATE TRIGGER routing_publications_changed AFTER INSERT OR UPDATE OR DELETE ON routing_publications
    FOR EACH STATEMENT EXECUTE FUNCTION raise_directory_revision();
INSERT INTO routing_policies (version, document) VALUES (0, '{
    "note": "No rules.", "success_value": "0.30", "exploration": "0.001", "tries_max": 3, "rules": []
}');
INSERT INTO routing_publications (version) VALUES (0);

-- Who changed what over the admin API: append-only, each entry sealed to the one before it by its hash.
CREATE TABLE audit_trail (
    seq bigint PRIMARY KEY,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    person text,
    address text,
    action text NOT NULL,
    subject text NOT NULL,
    detail json NOT NULL,
    hash bytea NOT NULL
);
CREATE INDEX audit_trail_by_subject ON audit_trail (subject, seq);
CREATE INDEX audit_trail_by_action ON audit_trail (action, seq);
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is append-only';
END $$;
CREATE TRIGGER audit_trail_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_trail
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
