-- Coupons: who holds which, how many of a campaign are out, and the functions that hand them out and call them back.

-- A coupon is one customer's own: `customer` is the keyed hash of realm and customer id, as in payments.  It is free
-- while `payment_id` is null, and then redeemed by that payment (it becomes free again where the payment comes to
-- nothing).  Whether it is expired is read off `expires_at` (null: with its campaign).  `merchant_id` is through whom the
-- customer got it, `realm` that merchant's customer realm, or its own id.  `earned_by` is the payment that a reward was
-- issued for, `reward_of` the campaign that gave it.
-- Not divided by months: its keys are unique for ever, and payments lock its rows (see outcome.sql on why not there).
CREATE TABLE coupons (
    id text COLLATE "C" PRIMARY KEY,
    campaign_id text COLLATE "C" NOT NULL,
    customer bytea NOT NULL,
    merchant_id text COLLATE "C" NOT NULL,
    realm text COLLATE "C" NOT NULL,
    source text NOT NULL CHECK (source IN ('claimed', 'issued', 'granted')),
    claim_key text COLLATE "C",
    earned_by text COLLATE "C",
    reward_of text COLLATE "C",
    number smallint,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    payment_id text COLLATE "C",
    voided_at timestamptz,
    void_reason text CHECK (void_reason IN ('refunded', 'reversed', 'manager')),
    CHECK ((source = 'issued') = (earned_by IS NOT NULL)),
    CHECK ((earned_by IS NULL) = (reward_of IS NULL) AND (earned_by IS NULL) = (number IS NULL)),
    CHECK ((voided_at IS NULL) = (void_reason IS NULL)),
    CHECK (voided_at IS NULL OR payment_id IS NULL)
) WITH (fillfactor = 80);
CREATE INDEX coupons_by_customer ON coupons (customer, campaign_id, id);
CREATE INDEX coupons_free ON coupons (customer, expires_at, id) WHERE payment_id IS NULL AND voided_at IS NULL;
CREATE INDEX coupons_by_campaign ON coupons (campaign_id, id);
CREATE UNIQUE INDEX coupons_by_key ON coupons (customer, claim_key) WHERE claim_key IS NOT NULL;
-- A reward is issued once, whatever crashes between.
CREATE UNIQUE INDEX coupons_by_reward ON coupons (earned_by, reward_of, number) WHERE earned_by IS NOT NULL;

-- How many coupons of a campaign are out, however they came about; a voided one stays counted.
CREATE TABLE coupon_stock (
    campaign_id text COLLATE "C" PRIMARY KEY,
    taken bigint NOT NULL DEFAULT 0 CHECK (taken >= 0)
) WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- Events of coupons stand under the coupon's id: a part of their own, so that the default one stays empty.
CREATE TABLE events_of_coupons PARTITION OF events FOR VALUES FROM ('cpn_') TO ('cpn`');

ALTER TABLE recovery_tasks DROP CONSTRAINT recovery_tasks_purpose_check;
ALTER TABLE recovery_tasks ADD CONSTRAINT recovery_tasks_purpose_check
    CHECK (purpose IN ('resolve', 'watch', 'give_back', 'refund', 'reward'));
