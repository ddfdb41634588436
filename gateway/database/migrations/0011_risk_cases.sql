-- Cases that a person looks at, complaints (投诉), and labels: what became known of a payment later.

-- When cases of a kind are due, and how long a claim holds; operations change it.
CREATE TABLE risk_case_terms (
    kind text PRIMARY KEY CHECK (kind IN ('review', 'complaint')),
    due_hours integer NOT NULL CHECK (due_hours BETWEEN 1 AND 2160),
    claim_minutes integer NOT NULL CHECK (claim_minutes BETWEEN 1 AND 1440)
);
INSERT INTO risk_case_terms (kind, due_hours, claim_minutes) VALUES ('review', 24, 30), ('complaint', 72, 30);
CREATE FUNCTION risk_case_due(of_kind text) RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT now() + make_interval(hours => t.due_hours) FROM risk_case_terms t WHERE t.kind = of_kind);
END
$$;

-- A case is open until somebody has decided it.  `version` is the number of its last step; nobody looks at one payment
-- twice at a time, so a payment has one open case at most, and what comes meanwhile joins it.
CREATE TABLE risk_cases (
    id text COLLATE "C" NOT NULL,
    merchant_id text COLLATE "C" NOT NULL,
    kind text NOT NULL CHECK (kind IN ('review', 'complaint')),
    payment_id text COLLATE "C" NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    score smallint,
    opened_at timestamptz NOT NULL DEFAULT now(),
    due_at timestamptz NOT NULL DEFAULT risk_case_due('review'),
    version integer NOT NULL DEFAULT 0,
    claimed_by text,
    claimed_until timestamptz,
    reopened_at timestamptz,
    verdict text CHECK (verdict IN ('good', 'fraud')),
    decided_by text,
    decided_at timestamptz,
    CHECK ((claimed_by IS NULL) = (claimed_until IS NULL)),
    CHECK ((verdict IS NULL) = (decided_at IS NULL)),
    CHECK ((decided_by IS NULL) = (decided_at IS NULL)),
    PRIMARY KEY (id, merchant_id)
);
CREATE UNIQUE INDEX risk_cases_one_open ON risk_cases (payment_id, merchant_id) WHERE decided_at IS NULL;
CREATE INDEX risk_cases_by_payment ON risk_cases (payment_id, id);
CREATE INDEX risk_cases_by_due ON risk_cases (due_at, id) WHERE decided_at IS NULL;
CREATE INDEX risk_cases_by_amount ON risk_cases (amount, id) WHERE decided_at IS NULL;
CREATE INDEX risk_cases_decided ON risk_cases (decided_at, id) WHERE decided_at IS NOT NULL;

-- What was done about a case, in its order.  What people wrote is sealed: it may name customers.
CREATE TABLE risk_case_steps (
    case_id text COLLATE "C" NOT NULL,
    merchant_id text COLLATE "C" NOT NULL,
    seq integer NOT NULL CHECK (seq > 0),
    kind text NOT NULL CHECK (
        kind IN ('claimed', 'taken_over', 'released', 'noted', 'complained', 'decided', 'reopened')
    ),
    by text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    detail json,
    note_sealed bytea,
    PRIMARY KEY (case_id, merchant_id, seq)
);

-- `said_sealed` is what was complained of and the evidence that came with it (JSON); `told_at` is when the velocity
-- counters had it.
CREATE TABLE risk_complaints (
    id text COLLATE "C" NOT NULL,
    merchant_id text COLLATE "C" NOT NULL,
    case_id text COLLATE "C" NOT NULL,
    payment_id text COLLATE "C" NOT NULL,
    reason text NOT NULL,
    channel text NOT NULL,
    channel_complaint_id text NOT NULL,
    fingerprint bytea NOT NULL,
    said_sealed bytea NOT NULL,
    by text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    told_at timestamptz,
    PRIMARY KEY (id, merchant_id)
);
CREATE UNIQUE INDEX risk_complaints_by_number ON risk_complaints (merchant_id, channel, channel_complaint_id);
CREATE INDEX risk_complaints_by_payment ON risk_complaints (payment_id, id);
CREATE INDEX risk_complaints_untold ON risk_complaints (at) WHERE told_at IS NULL;

-- Append-only: the newest (highest `seq`) label of a payment stands.  `known_at` is when it became known, which may lie
-- before it was recorded; `told_at` is when the velocity counters had it.
CREATE TABLE risk_labels (
    seq bigint GENERATED ALWAYS AS IDENTITY,
    payment_id text COLLATE "C" NOT NULL,
    merchant_id text COLLATE "C" NOT NULL,
    fraud boolean NOT NULL,
    source text NOT NULL CHECK (source IN ('case', 'chargeback', 'issuer', 'merchant', 'police', 'other')),
    note text,
    by text NOT NULL,
    known_at timestamptz NOT NULL DEFAULT now(),
    recorded_at timestamptz NOT NULL DEFAULT now(),
    told_at timestamptz,
    PRIMARY KEY (payment_id, merchant_id, seq)
);
CREATE INDEX risk_labels_by_seq ON risk_labels (seq);
CREATE INDEX risk_labels_untold ON risk_labels (seq) WHERE fraud AND told_at IS NULL;

CREATE FUNCTION refuse_change_of_risk_record() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$;
-- Of a label and a complaint only `told_at` changes.
CREATE TRIGGER risk_labels_append_only
    BEFORE DELETE OR UPDATE OF
        seq, payment_id, merchant_id, fraud, source, note, by, known_at, recorded_at
    ON risk_labels FOR EACH ROW EXECUTE FUNCTION refuse_change_of_risk_record();
CREATE TRIGGER risk_complaints_append_only
    BEFORE DELETE OR UPDATE OF
        id, merchant_id, case_id, payment_id, reason, channel, channel_complaint_id, fingerprint, said_sealed, by, at
    ON risk_complaints FOR EACH ROW EXECUTE FUNCTION refuse_change_of_risk_record();
CREATE TRIGGER risk_case_steps_append_only BEFORE UPDATE OR DELETE ON risk_case_steps
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_risk_record();
