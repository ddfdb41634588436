-- Codes on display, refunds, callbacks, webhooks, several accounts per channel.

-- Payments learn codes and refunds.  `attempt_at` is the current attempt's time where it is not the payment's own;
-- `pay_until` the moment after which the channel takes no money for it; `refund_held` the goods value of the refunds
-- that are pending or done: it is what keeps refunds within the payment.
ALTER TABLE payments
    ADD COLUMN qr_code text,
    ADD COLUMN code_id text COLLATE "C",
    ADD COLUMN attempt_at timestamptz,
    ADD COLUMN pay_until timestamptz,
    ADD COLUMN refund_held bigint NOT NULL DEFAULT 0,
    ADD COLUMN refund_count smallint NOT NULL DEFAULT 0,
    ADD COLUMN review_at timestamptz;
ALTER TABLE payments ADD CONSTRAINT payments_refund_held_check
    CHECK (amount_refunded <= refund_held AND refund_held <= amount);

-- `page_sealed` is how a page inside the wallet goes on paying this attempt.
ALTER TABLE attempts
    ADD COLUMN pay_until timestamptz,
    ADD COLUMN page_sealed bytea;
ALTER TABLE attempts DROP CONSTRAINT attempts_state_check;
ALTER TABLE attempts ADD CONSTRAINT attempts_state_check
    CHECK (state IN ('open', 'captured', 'refused', 'unsent', 'not_created', 'reversed', 'closed'));

-- Events that a merchant is told of have an id; an event of a refund names it.
ALTER TABLE events
    ADD COLUMN id text COLLATE "C",
    ADD COLUMN refund_id text COLLATE "C";
CREATE INDEX events_by_merchant ON events (merchant_id, id) WHERE id IS NOT NULL;

ALTER TABLE recovery_tasks DROP CONSTRAINT recovery_tasks_purpose_check;
ALTER TABLE recovery_tasks ADD CONSTRAINT recovery_tasks_purpose_check
    CHECK (purpose IN ('resolve', 'watch', 'give_back', 'refund'));
-- A code on display is not late before it expires; null where a task counts from its beginning.
ALTER TABLE recovery_tasks ADD COLUMN late_from timestamptz;
-- The last moment at which a request to give money back that was not answered can have left; null where there is none.
ALTER TABLE recovery_tasks ADD COLUMN asked_at timestamptz;

-- Static codes (聚合码).  A code for one payment has no row: its token is derived from the payment.
-- `request_fingerprint` is the keyed hash of the request that made it, where it came with an idempotency key.
CREATE TABLE codes (
    id text COLLATE "C" PRIMARY KEY,
    token text COLLATE "C" NOT NULL UNIQUE,
    merchant_id text COLLATE "C" NOT NULL REFERENCES merchants (id),
    name text NOT NULL,
    description text,
    amount bigint CHECK (amount > 0),
    store_id text,
    terminal_id text,
    operator_id text,
    metadata json,
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'revoked')),
    idempotency_key text COLLATE "C",
    request_fingerprint bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);
CREATE INDEX codes_by_merchant ON codes (merchant_id, id);
CREATE UNIQUE INDEX codes_by_key ON codes (merchant_id, idempotency_key) WHERE idempotency_key IS NOT NULL;

-- Refunds.  `amount` is goods value; the customer part, the discount and the fee that go back stand beside it.
-- `asked_at` is when the channel was asked first, `last_asked_at` the last moment at which it can have taken a request in.
CREATE TABLE refunds (
    id text COLLATE "C" NOT NULL,
    merchant_id text COLLATE "C" NOT NULL,
    payment_id text COLLATE "C" NOT NULL,
    merchant_refund_no text COLLATE "C" NOT NULL,
    seq smallint NOT NULL CHECK (seq > 0),
    attempt_seq smallint NOT NULL,
    account_id text COLLATE "C" NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    returned_to_customer bigint NOT NULL CHECK (returned_to_customer >= 0),
    discount_returned bigint NOT NULL CHECK (discount_returned >= 0),
    fee_returned bigint NOT NULL CHECK (fee_returned >= 0),
    funding json,
    currency text NOT NULL,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'succeeded', 'failed')),
    reason text,
    store_id text,
    terminal_id text,
    operator_id text,
    metadata json,
    channel_refund_no text,
    failure_code text,
    failure_channel_code text,
    review text,
    review_at timestamptz,
    asked_at timestamptz,
    last_asked_at timestamptz,
    tries integer NOT NULL DEFAULT 0,
    next_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    completed_at timestamptz,
    PRIMARY KEY (id, merchant_id),
    CHECK (amount = returned_to_customer + discount_returned),
    CHECK ((status = 'pending') = (completed_at IS NULL))
) PARTITION BY RANGE (id);
CREATE TABLE refunds_default PARTITION OF refunds DEFAULT WITH (fillfactor = 80);
CREATE INDEX refunds_by_payment ON refunds (payment_id, seq);
CREATE INDEX refunds_by_merchant ON refunds (merchant_id, id);
CREATE INDEX refunds_pending ON refunds (created_at) WHERE status = 'pending';
CREATE INDEX refunds_for_review ON refunds (id) WHERE review IS NOT NULL;

CREATE TABLE refund_numbers (
    merchant_id text COLLATE "C" NOT NULL,
    merchant_refund_no text COLLATE "C" NOT NULL,
    refund_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (merchant_id, merchant_refund_no)
) PARTITION BY HASH (merchant_id);

CREATE TABLE refund_keys (
    merchant_id text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    refund_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (merchant_id, key)
) PARTITION BY HASH (merchant_id);

-- What the channels told us by themselves: written before it is acknowledged, applied once.  `report_sealed` is what the
-- verified message says; `body_sealed` the message as it came, dropped after some months (housekeeping).  `settled_at` is
-- when a person had looked at one that is an orphan, or contradicts our books.
CREATE TABLE callbacks (
    payment_id text COLLATE "C" NOT NULL,
    account_id text COLLATE "C" NOT NULL,
    notification_id text COLLATE "C" NOT NULL,
    order_no text COLLATE "C" NOT NULL,
    refund_no text COLLATE "C",
    report_sealed bytea NOT NULL,
    body_sealed bytea,
    received_at timestamptz NOT NULL DEFAULT now(),
    result text CHECK (result IN ('applied', 'no_change', 'late', 'review', 'orphan')),
    tries integer NOT NULL DEFAULT 0,
    next_at timestamptz NOT NULL,
    applied_at timestamptz,
    settled_at timestamptz,
    PRIMARY KEY (payment_id, account_id, notification_id)
) PARTITION BY RANGE (payment_id);
CREATE TABLE callbacks_default PARTITION OF callbacks DEFAULT WITH (fillfactor = 80);
CREATE INDEX callbacks_due ON callbacks (next_at) WHERE applied_at IS NULL;
CREATE INDEX callbacks_with_body ON callbacks (received_at) WHERE body_sealed IS NOT NULL;
CREATE INDEX callbacks_for_review ON callbacks (payment_id)
    WHERE result IN ('review', 'orphan') AND settled_at IS NULL;

-- Webhooks.  The outbox is written in the transaction of the event; the worker makes deliveries of it, one for each
-- endpoint that wants the event.  `webhook_queue` holds what is still to be sent, and only that: its lines (an endpoint's
-- first tries, and apart from them its later ones) are served in turn.  An event that goes to a payment's own notify_url
-- stands under the merchant's id as its endpoint.
CREATE TABLE webhook_endpoints (
    id text COLLATE "C" PRIMARY KEY,
    merchant_id text COLLATE "C" NOT NULL REFERENCES merchants (id),
    url text NOT NULL,
    description text,
    types text[],
    status text NOT NULL DEFAULT 'enabled' CHECK (status IN ('enabled', 'disabled', 'deleted')),
    disabled_reason text,
    secret_sealed bytea NOT NULL,
    previous_secret_sealed bytea,
    previous_until timestamptz,
    failing_since timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX webhook_endpoints_by_merchant ON webhook_endpoints (merchant_id, id);

CREATE TABLE webhook_outbox (
    event_id text COLLATE "C" PRIMARY KEY,
    merchant_id text COLLATE "C" NOT NULL,
    payment_id text COLLATE "C" NOT NULL,
    seq integer NOT NULL,
    retry_at timestamptz
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0,
        autovacuum_analyze_threshold = 20000);

CREATE TABLE webhook_deliveries (
    event_id text COLLATE "C" NOT NULL,
    merchant_id text COLLATE "C" NOT NULL,
    endpoint_id text COLLATE "C" NOT NULL,
    url text NOT NULL,
    body text NOT NULL,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'succeeded', 'failed', 'cancelled')),
    tries integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    PRIMARY KEY (event_id, merchant_id, endpoint_id)
) PARTITION BY RANGE (event_id);
CREATE TABLE webhook_deliveries_default PARTITION OF webhook_deliveries DEFAULT WITH (fillfactor = 80);

CREATE TABLE webhook_attempts (
    event_id text COLLATE "C" NOT NULL,
    merchant_id text COLLATE "C" NOT NULL,
    endpoint_id text COLLATE "C" NOT NULL,
    try integer NOT NULL,
    at timestamptz NOT NULL,
    http_status smallint,
    error text,
    duration_ms integer NOT NULL,
    PRIMARY KEY (event_id, merchant_id, endpoint_id, try)
) PARTITION BY RANGE (event_id);
CREATE TABLE webhook_attempts_default PARTITION OF webhook_attempts DEFAULT;

-- `again` and `tries` count from the last time that the delivery was asked for; the delivery counts all of its tries.
CREATE TABLE webhook_queue (
    endpoint_id text COLLATE "C" NOT NULL,
    event_id text COLLATE "C" NOT NULL,
    merchant_id text COLLATE "C" NOT NULL,
    again boolean NOT NULL DEFAULT false,
    tries integer NOT NULL DEFAULT 0,
    next_at timestamptz NOT NULL DEFAULT now(),
    lease_until timestamptz,
    lease_token bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (endpoint_id, event_id)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,
        autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_threshold = 20000);
CREATE INDEX webhook_queue_lines ON webhook_queue (endpoint_id, again, next_at);

-- What a person has to look at: since when (`review_at` here and above), and what was decided, by whom, and why.  `reason`
-- is why it was in review, `channel_said` what the channel answered when it was asked for the decision.
ALTER TABLE late_captures ADD COLUMN review_at timestamptz;
CREATE INDEX late_captures_for_review ON late_captures (payment_id) WHERE status = 'review';
CREATE TABLE review_verdicts (
    id text COLLATE "C" PRIMARY KEY,
    review_id text COLLATE "C" NOT NULL,
    kind text NOT NULL CHECK (kind IN ('payment', 'refund', 'late_capture', 'callback')),
    payment_id text COLLATE "C" NOT NULL,
    refund_id text COLLATE "C",
    attempt_seq smallint,
    reason text NOT NULL,
    verdict text NOT NULL,
    decided_by text NOT NULL,
    note text,
    channel_said json,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX review_verdicts_by_review ON review_verdicts (review_id, at);
CREATE INDEX review_verdicts_by_payment ON review_verdicts (payment_id);

-- Accounts of a merchant's own, and credentials that overlap while they are rotated.
ALTER TABLE channel_accounts
    ADD COLUMN merchant_id text COLLATE "C" REFERENCES merchants (id),
    ADD COLUMN previous_settings_sealed bytea,
    ADD COLUMN previous_until timestamptz;
CREATE INDEX channel_accounts_by_merchant ON channel_accounts (merchant_id) WHERE merchant_id IS NOT NULL;

-- What a merchant wants of its receipts and its requests.
ALTER TABLE merchants
    ADD COLUMN signing_required boolean NOT NULL DEFAULT false,
    ADD COLUMN receipt_discounts text NOT NULL DEFAULT 'by_funder'
        CHECK (receipt_discounts IN ('by_funder', 'total', 'none'));

-- Answers of the admin API by idempotency key; sealed, for some hold secrets that are shown once.
CREATE TABLE admin_requests (
    key text COLLATE "C" PRIMARY KEY,
    fingerprint bytea NOT NULL,
    status smallint NOT NULL,
    answer_sealed bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

DO $$
BEGIN
    FOR n IN 0..7 LOOP
        EXECUTE format(
            'CREATE TABLE refund_numbers_%s PARTITION OF refund_numbers FOR VALUES WITH (MODULUS 8, REMAINDER %s)', n, n
        );
        EXECUTE format(
            'CREATE TABLE refund_keys_%s PARTITION OF refund_keys FOR VALUES WITH (MODULUS 8, REMAINDER %s)', n, n
        );
    END LOOP;
END
$$;
