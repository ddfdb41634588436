-- The books of one simulator: what it was asked to charge, what it gave back, and what it has to tell of both.
CREATE TABLE IF NOT EXISTS trades (
    seq              INTEGER PRIMARY KEY,
    merchant         TEXT NOT NULL,
    order_no         TEXT NOT NULL,
    txn_time         TEXT NOT NULL,
    fingerprint      INTEGER NOT NULL,
    amount_fen       INTEGER NOT NULL,
    status           TEXT NOT NULL,
    created_ms       INTEGER NOT NULL,
    code_key         INTEGER NOT NULL,
    code_tail        TEXT NOT NULL,
    payer            TEXT NOT NULL,
    details          TEXT NOT NULL,
    reason           TEXT,
    captured_ms      INTEGER,
    ended_ms         INTEGER,
    visible_ms       INTEGER,
    due_ms           INTEGER,
    due_status       TEXT,
    due_reason       TEXT,
    refunded_fen     INTEGER NOT NULL,
    refund_count     INTEGER NOT NULL,
    last_refund_ms   INTEGER,
    early_reversal   INTEGER NOT NULL,
    method           TEXT NOT NULL DEFAULT 'barcode',
    notify_url       TEXT NOT NULL DEFAULT '',
    handle           TEXT,
    handle_until_ms  INTEGER,
    pay_until_ms     INTEGER,
    scanned_ms       INTEGER,
    wallet           TEXT NOT NULL DEFAULT '',
    UNIQUE (merchant, order_no, txn_time)
);
CREATE INDEX IF NOT EXISTS trades_by_code ON trades (code_key);
CREATE INDEX IF NOT EXISTS trades_due ON trades (due_ms) WHERE due_ms IS NOT NULL;
CREATE INDEX IF NOT EXISTS trades_due_and_told ON trades (due_ms) WHERE due_ms IS NOT NULL AND notify_url <> '';
CREATE UNIQUE INDEX IF NOT EXISTS trades_by_handle ON trades (handle) WHERE handle IS NOT NULL;

CREATE TABLE IF NOT EXISTS refunds (
    seq              INTEGER PRIMARY KEY,
    merchant         TEXT NOT NULL,
    refund_no        TEXT NOT NULL,
    scope            TEXT NOT NULL,
    trade_seq        INTEGER NOT NULL,
    order_no         TEXT NOT NULL,
    amount_fen       INTEGER NOT NULL,
    kind             TEXT NOT NULL,
    created_ms       INTEGER NOT NULL,
    settles_ms       INTEGER NOT NULL,
    outcome          TEXT NOT NULL DEFAULT 'succeeded',
    notify_url       TEXT NOT NULL DEFAULT '',
    details          TEXT NOT NULL DEFAULT '{}',
    UNIQUE (merchant, refund_no, scope)
);

-- What the merchant's server is told: one row for each event of an order (refund_seq 0) or of a refund.
CREATE TABLE IF NOT EXISTS notifications (
    seq              INTEGER PRIMARY KEY,
    id               TEXT NOT NULL UNIQUE,
    merchant         TEXT NOT NULL,
    order_no         TEXT NOT NULL,
    refund_no        TEXT,
    trade_seq        INTEGER NOT NULL,
    refund_seq       INTEGER NOT NULL,
    event            TEXT NOT NULL,
    url              TEXT NOT NULL,
    content          TEXT NOT NULL,
    created_ms       INTEGER NOT NULL,
    next_ms          INTEGER,
    plan             TEXT NOT NULL,
    tries            INTEGER NOT NULL,
    status           TEXT NOT NULL,
    last_answer      TEXT,
    UNIQUE (trade_seq, refund_seq, event)
);
CREATE INDEX IF NOT EXISTS notifications_next ON notifications (next_ms) WHERE next_ms IS NOT NULL;
CREATE INDEX IF NOT EXISTS notifications_by_order ON notifications (order_no);

-- Codes that a wallet's page gave a browser so that the merchant learns who pays: each is good once.
CREATE TABLE IF NOT EXISTS grants (
    code             TEXT PRIMARY KEY,
    app              TEXT NOT NULL,
    payer            TEXT NOT NULL,
    made_ms          INTEGER NOT NULL,
    used_ms          INTEGER
);

-- Bills that were built for download, compressed.
CREATE TABLE IF NOT EXISTS files (
    token            TEXT PRIMARY KEY,
    good_until_ms    INTEGER NOT NULL,
    content          BLOB NOT NULL
);
