-- The books of one simulator: what it was asked to charge, and what it gave back.
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
    UNIQUE (merchant, order_no, txn_time)
);
CREATE INDEX IF NOT EXISTS trades_by_code ON trades (code_key);
CREATE INDEX IF NOT EXISTS trades_due ON trades (due_ms) WHERE due_ms IS NOT NULL;
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
    UNIQUE (merchant, refund_no, scope)
);
