-- The baseline's tables: the same facts as the gateway keeps of a payment, in the plainest form.
-- Unique constraints and the guarded update hold the truth; an unresolved payment is found again by the partial index.

CREATE TABLE api_keys (
    secret_hash bytea PRIMARY KEY,
    merchant_id text COLLATE "C" NOT NULL,
    merchant_name text NOT NULL
);

CREATE TABLE payments (
    id text COLLATE "C" PRIMARY KEY,
    merchant_id text COLLATE "C" NOT NULL,
    merchant_order_no text COLLATE "C" NOT NULL,
    status text NOT NULL CHECK (status IN ('processing', 'succeeded', 'failed')),
    version integer NOT NULL DEFAULT 1,
    amount bigint NOT NULL CHECK (amount > 0),
    payable bigint NOT NULL CHECK (payable > 0),
    currency text NOT NULL,
    account_id text COLLATE "C" NOT NULL,
    channel_trade_no text,
    store_id text,
    terminal_id text,
    metadata jsonb,
    request_fingerprint bytea NOT NULL,
    failure_code text,
    created_at timestamptz NOT NULL DEFAULT now(),
    completed_at timestamptz,
    expires_at timestamptz NOT NULL,
    UNIQUE (merchant_id, merchant_order_no)
) WITH (fillfactor = 80);
CREATE INDEX payments_unresolved ON payments (created_at) WHERE status = 'processing';

CREATE TABLE attempts (
    payment_id text COLLATE "C" NOT NULL,
    seq smallint NOT NULL,
    account_id text COLLATE "C" NOT NULL,
    state text NOT NULL DEFAULT 'open',
    send_before timestamptz NOT NULL,
    channel_trade_no text,
    channel_code text,
    payer_paid bigint,
    payer_hash bytea,
    paid_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    PRIMARY KEY (payment_id, seq)
) WITH (fillfactor = 80);

CREATE TABLE events (
    payment_id text COLLATE "C" NOT NULL,
    seq integer NOT NULL,
    type text NOT NULL,
    from_status text,
    to_status text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (payment_id, seq)
);

CREATE TABLE transfers (
    payment_id text COLLATE "C" NOT NULL,
    seq smallint NOT NULL,
    kind text NOT NULL,
    debit text COLLATE "C" NOT NULL,
    credit text COLLATE "C" NOT NULL CHECK (credit <> debit),
    amount bigint NOT NULL CHECK (amount > 0),
    currency text NOT NULL,
    booked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (payment_id, seq)
);

-- The one campaign: the check is the guard, whatever comes at once.
CREATE TABLE campaigns (
    id text COLLATE "C" PRIMARY KEY,
    name text NOT NULL,
    spend bigint NOT NULL,
    off bigint NOT NULL,
    bank_percent integer NOT NULL,
    budget bigint NOT NULL,
    used bigint NOT NULL DEFAULT 0,
    CHECK (used BETWEEN 0 AND budget)
) WITH (fillfactor = 20);

CREATE TABLE redemptions (
    payment_id text COLLATE "C" PRIMARY KEY,
    campaign_id text COLLATE "C" NOT NULL,
    name text NOT NULL,
    discount bigint NOT NULL CHECK (discount > 0),
    funding jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
