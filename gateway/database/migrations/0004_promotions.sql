-- Campaigns, what is granted of their budgets, what payments took of them, and what is known of customers.

-- Customers are scoped to a merchant, or to a realm that several merchants share; category and region are what
-- conditions of campaigns look at, a store's own before its merchant's.
ALTER TABLE merchants
    ADD COLUMN customer_realm text COLLATE "C",
    ADD COLUMN category text,
    ADD COLUMN region text;
CREATE TABLE stores (
    merchant_id text COLLATE "C" NOT NULL REFERENCES merchants (id),
    store_id text COLLATE "C" NOT NULL,
    name text,
    region text,
    category text,
    PRIMARY KEY (merchant_id, store_id)
);
-- `places` rises with every change of where payments are made: processes keep that in memory for every payment, and must
-- not read it all again because of a campaign.
ALTER TABLE directory_revision ADD COLUMN places bigint NOT NULL DEFAULT 1;
CREATE FUNCTION raise_places_revision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE directory_revision SET revision = revision + 1, places = places + 1;
    RETURN NULL;
END
$$;
CREATE TRIGGER stores_changed AFTER INSERT OR UPDATE OR DELETE ON stores
    FOR EACH STATEMENT EXECUTE FUNCTION raise_places_revision();
CREATE TRIGGER merchants_moved AFTER UPDATE OF customer_realm, category, region ON merchants
    FOR EACH STATEMENT EXECUTE FUNCTION raise_places_revision();

-- `customer` is the keyed hash of realm and customer id, `card_bin` that of the BIN's first six digits; `pricing` says
-- which campaigns were considered, and why each applied or not (promotions/offer.py); `promoted` whether the payment has
-- redemptions, so that nobody looks for those of the many that have none.
ALTER TABLE payments
    ADD COLUMN customer bytea,
    ADD COLUMN card_bin bytea,
    ADD COLUMN pricing json,
    ADD COLUMN promoted boolean NOT NULL DEFAULT false;

-- 'reward': a captured payment earned its customer a coupon.
ALTER TABLE recovery_tasks DROP CONSTRAINT recovery_tasks_purpose_check;
ALTER TABLE recovery_tasks ADD CONSTRAINT recovery_tasks_purpose_check
    CHECK (purpose IN ('resolve', 'watch', 'give_back', 'refund', 'reward'));

-- What a customer has paid so far, kept up in the outcome's commit: one row per customer.  The JSON columns count
-- captured payments by wallet, by card BIN (its keyed hash in hex) and by merchant.
CREATE TABLE customers (
    customer bytea PRIMARY KEY,
    orders integer NOT NULL DEFAULT 0,
    spent bigint NOT NULL DEFAULT 0,
    first_at timestamptz,
    last_at timestamptz,
    by_wallet jsonb NOT NULL DEFAULT '{}',
    by_bin jsonb NOT NULL DEFAULT '{}',
    by_merchant jsonb NOT NULL DEFAULT '{}',
    segments text[] NOT NULL DEFAULT '{}'
) WITH (fillfactor = 70);

-- Counts a captured payment of a customer, or with times = -1 takes it back.  A till that names new card BINs for ever
-- makes the row no larger than 64 of them.
CREATE FUNCTION count_order(of_customer bytea, fen bigint, of_wallet text, of_bin bytea, of_merchant text, times integer)
RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    bin text := encode(of_bin, 'hex');
BEGIN
    INSERT INTO customers AS c (customer, orders, spent, first_at, last_at, by_wallet, by_bin, by_merchant)
    VALUES (
        of_customer, greatest(times, 0), greatest(times, 0) * fen, now(), now(),
        jsonb_build_object(of_wallet, greatest(times, 0)),
        CASE WHEN bin IS NULL THEN '{}' ELSE jsonb_build_object(bin, greatest(times, 0)) END,
        jsonb_build_object(of_merchant, greatest(times, 0))
    )
    ON CONFLICT (customer) DO UPDATE SET
        orders = greatest(c.orders + times, 0),
        spent = greatest(c.spent + times * fen, 0),
        first_at = CASE WHEN c.orders + times > 0 THEN coalesce(c.first_at, now()) END,
        last_at = CASE WHEN c.orders + times > 0 THEN CASE WHEN times > 0 THEN now() ELSE c.last_at END END,
        by_wallet = c.by_wallet || jsonb_build_object(
            of_wallet, greatest(coalesce((c.by_wallet ->> of_wallet)::integer, 0) + times, 0)
        ),
        by_bin = CASE
            WHEN bin IS NULL THEN c.by_bin
            WHEN NOT c.by_bin ? bin AND (SELECT count(*) FROM jsonb_object_keys(c.by_bin)) >= 64 THEN c.by_bin
            ELSE c.by_bin || jsonb_build_object(bin, greatest(coalesce((c.by_bin ->> bin)::integer, 0) + times, 0))
        END,
        by_merchant = c.by_merchant || jsonb_build_object(
            of_merchant, greatest(coalesce((c.by_merchant ->> of_merchant)::integer, 0) + times, 0)
        );
    RETURN times;
END
$$;

-- Has the worker issue what a captured payment earned its customer, or call it back once the payment was given back
-- whole: where it is about to finish, it looks again.
CREATE FUNCTION owe_reward(of_payment text, of_merchant text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO recovery_tasks (payment_id, merchant_id, purpose, next_at, created_at)
    SELECT of_payment, of_merchant, 'reward', now(), now()
    WHERE EXISTS (SELECT FROM redemptions WHERE payment_id = of_payment AND merchant_id = of_merchant AND rewards)
    ON CONFLICT (payment_id, purpose) DO UPDATE SET next_at = now();
    RETURN FOUND;
END
$$;

-- `document` is the version in force (promotions/campaigns/document.py); the budget stands beside it, for top-ups make
-- no new version.  NULL is no limit.  A change of anything that decides about a payment raises `version` or `status`:
-- the intent statement takes nothing for another version than the present one, or while the campaign is not active.
CREATE TABLE campaigns (
    id text COLLATE "C" PRIMARY KEY,
    status text NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'active', 'paused', 'ended')),
    version integer NOT NULL DEFAULT 1,
    document json NOT NULL,
    budget bigint CHECK (budget >= 0),
    budget_per_day bigint CHECK (budget_per_day >= 0),
    count bigint CHECK (count >= 0),
    count_per_day bigint CHECK (count_per_day >= 0),
    slices smallint NOT NULL DEFAULT 1 CHECK (slices BETWEEN 1 AND 64),
    timezone text NOT NULL,
    starts_at timestamptz,
    ends_at timestamptz,
    revision bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    activated_at timestamptz,
    ended_at timestamptz
);
CREATE TRIGGER campaigns_changed AFTER INSERT OR UPDATE OR DELETE ON campaigns
    FOR EACH STATEMENT EXECUTE FUNCTION raise_directory_revision();
CREATE TABLE campaign_versions (
    campaign_id text COLLATE "C" NOT NULL REFERENCES campaigns (id),
    version integer NOT NULL,
    document json NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (campaign_id, version)
);
CREATE TABLE campaign_top_ups (
    campaign_id text COLLATE "C" NOT NULL REFERENCES campaigns (id),
    key text COLLATE "C" NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (campaign_id, key)
);

-- The authority over budgets: what of a campaign's budget and number is granted to a slice of one of its days, and what
-- payments of that day took of it (held or spent).  Campaigns without a budget and a number have no slices.
-- The sum of what is granted, over all days, is at most the campaign's budget, and over a day at most the day's: who
-- grants holds the campaign's row.  The checks are the last line: no statement can overspend a slice.
CREATE TABLE campaign_slices (
    campaign_id text COLLATE "C" NOT NULL,
    day date NOT NULL,
    slice smallint NOT NULL,
    granted bigint,
    used bigint NOT NULL DEFAULT 0 CHECK (used >= 0),
    granted_count bigint,
    used_count bigint NOT NULL DEFAULT 0 CHECK (used_count >= 0),
    PRIMARY KEY (campaign_id, day, slice),
    CHECK (used <= granted),
    CHECK (used_count <= granted_count)
) WITH (fillfactor = 30, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- What one customer, device, store, merchant, region or code took of a campaign: on a day, or ('2000-01-01') ever.
CREATE TABLE campaign_uses (
    key text COLLATE "C" NOT NULL,
    campaign_id text COLLATE "C" NOT NULL,
    scope text NOT NULL CHECK (scope IN ('customer', 'device', 'store', 'merchant', 'region', 'code')),
    day date NOT NULL,
    used_count integer NOT NULL DEFAULT 0 CHECK (used_count >= 0),
    used bigint NOT NULL DEFAULT 0 CHECK (used >= 0),
    PRIMARY KEY (key, campaign_id, scope, day)
) WITH (fillfactor = 70);

-- What a payment took of its campaigns; never changed.  Whether it is held, spent or given back is where the payment
-- stands, and what refunds returned is theirs.  `day` is the day of the intent (database time, the campaign's time
-- zone).  `uses` are the counters that it counts in: [[scope, key, day], …].
CREATE TABLE redemptions (
    payment_id text COLLATE "C" NOT NULL,
    merchant_id text COLLATE "C" NOT NULL,
    seq smallint NOT NULL CHECK (seq > 0),
    campaign_id text COLLATE "C" NOT NULL,
    campaign_version integer NOT NULL,
    name text NOT NULL,
    day date NOT NULL,
    slice smallint,
    discount bigint NOT NULL CHECK (discount >= 0),
    fee_off bigint NOT NULL DEFAULT 0 CHECK (fee_off >= 0),
    funding json NOT NULL,
    uses json,
    coupon_id text COLLATE "C",
    rewards boolean NOT NULL DEFAULT false,
    returns_budget boolean NOT NULL,
    returns_limits boolean NOT NULL,
    new_customer boolean,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (payment_id, merchant_id, seq)
) PARTITION BY RANGE (payment_id);
CREATE TABLE redemptions_default PARTITION OF redemptions DEFAULT;
CREATE INDEX redemptions_by_campaign ON redemptions (campaign_id, payment_id);

-- The pool in Valkey: its epoch is in the names of its keys, and rises where Valkey lost or brought back something; the
-- generation is the worker's heartbeat, written here first and then there.
CREATE TABLE pool_state (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    epoch bigint NOT NULL DEFAULT 1,
    generation bigint NOT NULL DEFAULT 0,
    fenced_at timestamptz,
    reason text,
    beaten_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 30);
INSERT INTO pool_state DEFAULT VALUES;

-- Which share of its customers a campaign lets through just now, where its spend is paced (promotions/pacing), and what
-- the next look needs: what was used of the day by then, and the fading sums that the demand is estimated from.
CREATE TABLE campaign_pace (
    campaign_id text COLLATE "C" PRIMARY KEY REFERENCES campaigns (id),
    share double precision NOT NULL CHECK (share BETWEEN 0 AND 1),
    day date NOT NULL,
    used bigint NOT NULL,
    spent double precision NOT NULL,
    exposed_s double precision NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

-- What was asked of a campaign and not paid, by hour: quotes, and refusals by reason; written by every process now and
-- then, so the last seconds before a crash may be missing.  What was paid stands in redemptions.
CREATE TABLE campaign_hours (
    campaign_id text COLLATE "C" NOT NULL,
    hour timestamptz NOT NULL,
    what text NOT NULL,
    count bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (campaign_id, hour, what)
);
-- Hours long past are forgotten (promotions/reporting/counting.py).
CREATE INDEX campaign_hours_by_hour ON campaign_hours USING brin (hour);

-- To be called by whoever holds in a transaction what payments wait for (slices, the stock of coupons): should its
-- process fall asleep there, its rows are free again before a batch of payments gives up (pool.py).
CREATE FUNCTION hurry() RETURNS text LANGUAGE sql AS $$
    SELECT set_config('idle_in_transaction_session_timeout', '2s', true)
$$;
