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
CREATE INDEX coupons_by_realm ON coupons (realm, id);
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

-- Hands out a batch of coupons; each row gets its coupon or the reason why not, exactly as if the rows came one at a
-- time in their order.  Rows of the same campaign come with the same terms (the campaign's version says so); a row whose
-- campaign has changed since is refused as `changed`, and its caller comes again with the new terms.
-- The campaigns' stock is locked in sorted order, so nobody else hands out coupons of them meanwhile: how many a customer
-- has claimed can be counted, and needs no counter of its own.  All times are read after the locks.
-- A row that was written before (by its id, its customer's key or its reward) gets that coupon again: `replayed`.
CREATE FUNCTION take_coupons(
    ids text[], campaign_ids text[], customers bytea[], merchant_ids text[], realms text[], sources text[],
    claim_keys text[], earned_bys text[], rewards_of text[], numbers smallint[],
    versions integer[], stocks bigint[], per_customers integer[], opens timestamptz[], closes timestamptz[],
    valid_hours integer[]
) RETURNS TABLE (
    refusal text, replayed boolean, id text, campaign_id text, created_at timestamptz, expires_at timestamptz,
    at timestamptz
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    moment timestamptz;
BEGIN
    INSERT INTO coupon_stock (campaign_id)
    SELECT DISTINCT r.campaign_id FROM unnest(campaign_ids) AS r (campaign_id) ORDER BY r.campaign_id
    ON CONFLICT DO NOTHING;
    PERFORM hurry();
    PERFORM FROM coupon_stock s WHERE s.campaign_id = ANY (campaign_ids) ORDER BY s.campaign_id FOR NO KEY UPDATE;
    moment := clock_timestamp();
    RETURN QUERY
    WITH rows AS MATERIALIZED (
        SELECT * FROM unnest(
            ids, campaign_ids, customers, merchant_ids, realms, sources, claim_keys, earned_bys, rewards_of, numbers,
            versions, stocks, per_customers, opens, closes, valid_hours
        ) WITH ORDINALITY AS r (
            id, campaign_id, customer, merchant_id, realm, source, claim_key, earned_by, reward_of, number,
            version, stock, per_customer, opens, closes, valid_hours, position
        )
    ), known AS (
        SELECT r.position, c.id, c.campaign_id, c.created_at, c.expires_at
        FROM rows r CROSS JOIN LATERAL (
            SELECT * FROM coupons WHERE id = r.id
            UNION ALL
            SELECT * FROM coupons WHERE customer = r.customer AND claim_key = r.claim_key
            UNION ALL
            SELECT * FROM coupons WHERE earned_by = r.earned_by AND reward_of = r.reward_of AND number = r.number
            LIMIT 1
        ) c
    ), judged AS (
        SELECT r.*, s.taken,
            CASE
                WHEN k.id IS NULL OR k.version <> r.version OR k.status = 'draft' THEN 'changed'
                WHEN k.status = 'ended' OR least(r.closes, k.ends_at) <= moment THEN 'over'
                WHEN k.status = 'paused' AND r.source = 'claimed' THEN 'changed'
                WHEN r.opens > moment THEN 'not_open_yet'
            END AS refusal
        FROM rows r
        JOIN coupon_stock s ON s.campaign_id = r.campaign_id
        LEFT JOIN campaigns k ON k.id = r.campaign_id
        WHERE NOT EXISTS (SELECT FROM known WHERE known.position = r.position)
    ), counted AS (
        SELECT j.*,
            j.source <> 'claimed' OR j.per_customer IS NULL OR j.per_customer >= row_number() OVER (
                PARTITION BY j.campaign_id, j.customer, j.source ORDER BY j.position
            ) + (
                SELECT count(*) FROM coupons c
                WHERE c.customer = j.customer AND c.campaign_id = j.campaign_id AND c.source = 'claimed'
            ) AS within_limit
        FROM judged j WHERE j.refusal IS NULL
    ), ranked AS (
        -- Once the stock is gone it stays gone within the batch: all that were within their limit before are admitted,
        -- or there is nothing left for this one either.
        SELECT c.*, c.taken + count(*) FILTER (WHERE c.within_limit) OVER (
            PARTITION BY c.campaign_id ORDER BY c.position ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS taken_before
        FROM counted c
    ), verdicts AS (
        SELECT r.*, CASE WHEN r.taken_before >= r.stock THEN 'sold_out' WHEN NOT r.within_limit THEN 'limit' END AS refusal
        FROM (
            SELECT position, id, campaign_id, customer, merchant_id, realm, source, claim_key, earned_by, reward_of,
                number, stock, valid_hours, within_limit, taken_before
            FROM ranked
        ) r
    ), new AS (
        INSERT INTO coupons (
            id, campaign_id, customer, merchant_id, realm, source, claim_key, earned_by, reward_of, number,
            created_at, expires_at
        )
        SELECT v.id, v.campaign_id, v.customer, v.merchant_id, v.realm, v.source, v.claim_key, v.earned_by, v.reward_of,
            v.number, moment, moment + make_interval(hours => v.valid_hours)
        FROM verdicts v WHERE v.refusal IS NULL
        ORDER BY v.position
        RETURNING id, campaign_id, created_at, expires_at
    ), stock AS (
        UPDATE coupon_stock s SET taken = s.taken + n.count
        FROM (SELECT campaign_id, count(*) FROM new GROUP BY campaign_id) n
        WHERE s.campaign_id = n.campaign_id
    )
    SELECT coalesce(j.refusal, v.refusal), known.id IS NOT NULL, coalesce(known.id, new.id),
        coalesce(known.campaign_id, new.campaign_id), coalesce(known.created_at, new.created_at),
        coalesce(known.expires_at, new.expires_at), moment
    FROM rows r
    LEFT JOIN known ON known.position = r.position
    LEFT JOIN judged j ON j.position = r.position
    LEFT JOIN verdicts v ON v.position = r.position
    LEFT JOIN new ON new.id = r.id
    ORDER BY r.position;
END
$$;
