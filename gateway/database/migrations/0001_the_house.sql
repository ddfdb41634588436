-- Merchants, keys, channel accounts, payments and their books.
-- Ids are text in byte order (COLLATE "C"): a prefix and a ULID, so that they sort by time and a month of ids is a partition.
-- Payments and their children are partitioned by the payment's id; numbers that must be unique for ever live in
-- narrow tables partitioned by hash of the merchant.

CREATE TABLE merchants (
    id text COLLATE "C" PRIMARY KEY,
    name text NOT NULL,
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
    timezone text NOT NULL DEFAULT 'Asia/Shanghai',
    webhook_secret_sealed bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE api_keys (
    id text COLLATE "C" PRIMARY KEY,
    merchant_id text COLLATE "C" NOT NULL REFERENCES merchants (id),
    secret_hash bytea NOT NULL UNIQUE,
    hint text NOT NULL,
    scopes text[] NOT NULL,
    signing_secret_sealed bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);
CREATE INDEX api_keys_by_merchant ON api_keys (merchant_id, id);

CREATE TABLE channel_accounts (
    id text COLLATE "C" PRIMARY KEY,
    channel text NOT NULL,
    wallets text[] NOT NULL,
    status text NOT NULL DEFAULT 'enabled' CHECK (status IN ('enabled', 'draining', 'disabled')),
    priority integer NOT NULL DEFAULT 100,
    fee_rate_millionths integer NOT NULL CHECK (fee_rate_millionths BETWEEN 0 AND 1000000),
    settings_sealed bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- One number that rises with every change of what gateway processes keep in memory; each process polls it.
CREATE TABLE directory_revision (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    revision bigint NOT NULL
);
INSERT INTO directory_revision (revision) VALUES (1);

CREATE FUNCTION raise_directory_revision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE directory_revision SET revision = revision + 1;
    RETURN NULL;
END
$$;
CREATE TRIGGER merchants_changed AFTER INSERT OR UPDATE OR DELETE ON merchants
    FOR EACH STATEMENT EXECUTE FUNCTION raise_directory_revision();
CREATE TRIGGER api_keys_changed AFTER INSERT OR UPDATE OR DELETE ON api_keys
    FOR EACH STATEMENT EXECUTE FUNCTION raise_directory_revision();
CREATE TRIGGER channel_accounts_changed AFTER INSERT OR UPDATE OR DELETE ON channel_accounts
    FOR EACH STATEMENT EXECUTE FUNCTION raise_directory_revision();

CREATE TABLE order_numbers (
    merchant_id text COLLATE "C" NOT NULL,
    merchant_order_no text COLLATE "C" NOT NULL,
    payment_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (merchant_id, merchant_order_no)
) PARTITION BY HASH (merchant_id);

CREATE TABLE idempotency_keys (
    merchant_id text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    payment_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (merchant_id, key)
) PARTITION BY HASH (merchant_id);

-- Who rings a sale up again: at most one payment replaces another, so that a sale's payments form one chain.
CREATE TABLE replacements (
    merchant_id text COLLATE "C" NOT NULL,
    replaced_id text COLLATE "C" NOT NULL,
    payment_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (merchant_id, replaced_id)
) PARTITION BY HASH (merchant_id);

CREATE TABLE payments (
    id text COLLATE "C" NOT NULL,
    merchant_id text COLLATE "C" NOT NULL,
    merchant_order_no text COLLATE "C" NOT NULL,
    status text NOT NULL
        CHECK (status IN ('processing', 'requires_action', 'succeeded', 'failed', 'closed', 'reversed')),
    version integer NOT NULL DEFAULT 1,
    amount bigint NOT NULL CHECK (amount > 0),
    payable bigint NOT NULL CHECK (payable BETWEEN 0 AND amount),
    currency text NOT NULL,
    method text NOT NULL,
    wallet text,
    account_id text COLLATE "C",
    attempt_seq smallint NOT NULL CHECK (attempt_seq >= 0),
    channel_trade_no text,
    store_id text,
    terminal_id text,
    operator_id text,
    metadata json,
    notify_url text,
    replaces text COLLATE "C",
    request_fingerprint bytea NOT NULL,
    request_sealed bytea,
    risk_decision text NOT NULL,
    risk_score smallint NOT NULL,
    failure_code text,
    failure_channel_code text,
    reversal text CHECK (reversal IN ('pending', 'succeeded', 'failed')),
    review text,
    amount_refunded bigint NOT NULL DEFAULT 0 CHECK (amount_refunded BETWEEN 0 AND amount),
    late_captures smallint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    completed_at timestamptz,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (id, merchant_id)
) PARTITION BY RANGE (id);
CREATE INDEX payments_by_merchant ON payments (merchant_id, id);
CREATE INDEX payments_for_review ON payments (id) WHERE review IS NOT NULL;

CREATE TABLE attempts (
    payment_id text COLLATE "C" NOT NULL,
    merchant_id text COLLATE "C" NOT NULL,
    seq smallint NOT NULL CHECK (seq > 0),
    account_id text COLLATE "C" NOT NULL,
    state text NOT NULL DEFAULT 'open'
        CHECK (state IN ('open', 'captured', 'refused', 'unsent', 'not_created', 'reversed')),
    send_before timestamptz NOT NULL,
    channel_trade_no text,
    channel_code text,
    payer_paid bigint,
    payer_hash bytea,
    paid_at timestamptz,
    created_at timestamptz NOT NULL,
    finished_at timestamptz,
    PRIMARY KEY (payment_id, merchant_id, seq)
) PARTITION BY RANGE (payment_id);

CREATE TABLE events (
    payment_id text COLLATE "C" NOT NULL,
    merchant_id text COLLATE "C" NOT NULL,
    seq integer NOT NULL,
    type text NOT NULL,
    from_status text,
    to_status text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (payment_id, merchant_id, seq)
) PARTITION BY RANGE (payment_id);

-- Memo double entry: every row is a transfer, so the books balance by construction.
CREATE TABLE transfers (
    payment_id text COLLATE "C" NOT NULL,
    merchant_id text COLLATE "C" NOT NULL,
    seq smallint NOT NULL,
    kind text NOT NULL,
    debit text COLLATE "C" NOT NULL,
    credit text COLLATE "C" NOT NULL CHECK (credit <> debit),
    amount bigint NOT NULL CHECK (amount > 0),
    currency text NOT NULL,
    booked_at timestamptz NOT NULL,
    PRIMARY KEY (payment_id, merchant_id, seq)
) PARTITION BY RANGE (payment_id);

-- What a worker has still to do for a payment; a row is inserted with the intent and deleted with the outcome.
CREATE TABLE recovery_tasks (
    payment_id text COLLATE "C" NOT NULL,
    merchant_id text COLLATE "C" NOT NULL,
    purpose text NOT NULL CHECK (purpose IN ('resolve', 'watch', 'give_back')),
    next_at timestamptz NOT NULL,
    tries integer NOT NULL DEFAULT 0,
    lease_until timestamptz,
    lease_token bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (payment_id, purpose)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,
        autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_threshold = 20000);
CREATE INDEX recovery_tasks_due ON recovery_tasks (next_at);

-- Money that arrived for a payment that was already over: given back by itself, and shown.
CREATE TABLE late_captures (
    payment_id text COLLATE "C" NOT NULL,
    merchant_id text COLLATE "C" NOT NULL,
    attempt_seq smallint NOT NULL,
    account_id text COLLATE "C" NOT NULL,
    channel_trade_no text,
    amount bigint NOT NULL CHECK (amount > 0),
    found_at timestamptz NOT NULL,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'refunded', 'review')),
    refunded_at timestamptz,
    PRIMARY KEY (payment_id, merchant_id, attempt_seq)
);

DO $$
BEGIN
    FOR part IN 0..7 LOOP
        EXECUTE format('CREATE TABLE order_numbers_%s PARTITION OF order_numbers FOR VALUES WITH (MODULUS 8, REMAINDER %s)', part, part);
        EXECUTE format('CREATE TABLE replacements_%s PARTITION OF replacements FOR VALUES WITH (MODULUS 8, REMAINDER %s)', part, part);
        EXECUTE format('CREATE TABLE idempotency_keys_%s PARTITION OF idempotency_keys FOR VALUES WITH (MODULUS 8, REMAINDER %s)', part, part);
    END LOOP;
END
$$;

-- The months are made by the migration command and the worker; these catch what they would have missed.
CREATE TABLE payments_default PARTITION OF payments DEFAULT WITH (fillfactor = 80);
CREATE TABLE attempts_default PARTITION OF attempts DEFAULT WITH (fillfactor = 80);
CREATE TABLE events_default PARTITION OF events DEFAULT;
CREATE TABLE transfers_default PARTITION OF transfers DEFAULT;
