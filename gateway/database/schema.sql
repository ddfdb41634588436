-- The whole schema, as the migrations make it.  Made by `make schema`, held equal to the migrations by a test; for
-- reading and review: databases are made by the migrations.  The monthly partitions are left out.

CREATE FUNCTION count_captures(captures integer, statuses text[], of_customers bytea[], fens bigint[], wallets text[], bins bytea[], merchants text[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    turn integer := 0;
    counted integer := 0;
BEGIN
    WHILE captures > 0 LOOP
        turn := turn + 1;
        INSERT INTO customers AS c (customer, orders, spent, first_at, last_at, by_wallet, by_bin, by_merchant)
        SELECT o.customer, 1, o.fen, now(), now(), jsonb_build_object(o.wallet, 1),
            CASE WHEN o.bin IS NULL THEN '{}' ELSE jsonb_build_object(encode(o.bin, 'hex'), 1) END,
            jsonb_build_object(o.merchant, 1)
        FROM (
            SELECT u.*, row_number() OVER (PARTITION BY u.customer ORDER BY u.position) AS nth
            FROM unnest(statuses, of_customers, fens, wallets, bins, merchants) WITH ORDINALITY
                AS u (status, customer, fen, wallet, bin, merchant, position)
            WHERE u.status = 'succeeded' AND u.customer IS NOT NULL
        ) o
        WHERE o.nth = turn
        ORDER BY o.customer
        ON CONFLICT (customer) DO UPDATE SET
            orders = c.orders + 1,
            spent = c.spent + excluded.spent,
            first_at = coalesce(c.first_at, now()),
            last_at = now(),
            by_wallet = c.by_wallet || (
                SELECT jsonb_build_object(k, coalesce((c.by_wallet ->> k)::integer, 0) + 1)
                FROM jsonb_object_keys(excluded.by_wallet) AS k
            ),
            by_bin = CASE
                WHEN excluded.by_bin = '{}' THEN c.by_bin
                ELSE c.by_bin || coalesce((
                    SELECT jsonb_build_object(k, coalesce((c.by_bin ->> k)::integer, 0) + 1)
                    FROM jsonb_object_keys(excluded.by_bin) AS k
                    WHERE c.by_bin ? k OR (SELECT count(*) FROM jsonb_object_keys(c.by_bin)) < 64
                ), '{}')
            END,
            by_merchant = c.by_merchant || (
                SELECT jsonb_build_object(k, coalesce((c.by_merchant ->> k)::integer, 0) + 1)
                FROM jsonb_object_keys(excluded.by_merchant) AS k
            );
        GET DIAGNOSTICS counted = ROW_COUNT;
        captures := captures - counted;
    END LOOP;
END
$$;

CREATE FUNCTION count_order(of_customer bytea, fen bigint, of_wallet text, of_bin bytea, of_merchant text, times integer) RETURNS integer
    LANGUAGE plpgsql
    AS $$
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

CREATE FUNCTION coupon_returns(of_payment text, of_campaign text, of_version integer, rule text) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
BEGIN
    RETURN coalesce((
        SELECT (v.document -> 'coupon' ->> rule)::boolean
        FROM campaign_versions v WHERE v.campaign_id = of_campaign AND v.version = of_version
    ), true) OR NOT EXISTS (SELECT FROM transfers t WHERE t.payment_id = of_payment);
END
$$;

CREATE FUNCTION follow_outcomes(of_payments text[], of_merchants text[], statuses text[], statuses_before text[], of_customers bytea[], fens bigint[], wallets text[], card_bins bytea[], are_promoted boolean[]) RETURNS integer
    LANGUAGE plpgsql
    AS $$
DECLARE
    takes_back boolean := 'succeeded' = ANY (statuses_before);
    captures integer := 0;
    rewarded text[] := '{}';
    rewarding text[] := '{}';
    come_to_nothing text[] := '{}';
    given_back integer := 0;
BEGIN
    FOR i IN 1 .. cardinality(of_payments) LOOP
        IF statuses[i] = 'succeeded' OR statuses_before[i] = 'succeeded' THEN
            IF of_customers[i] IS NOT NULL THEN
                captures := captures + 1;
                IF takes_back THEN
                    PERFORM count_order(
                        of_customers[i], fens[i], wallets[i], card_bins[i], of_merchants[i],
                        CASE statuses[i] WHEN 'succeeded' THEN 1 ELSE -1 END
                    );
                END IF;
            END IF;
            IF are_promoted[i] THEN
                rewarded := rewarded || of_payments[i];
                rewarding := rewarding || of_merchants[i];
            END IF;
        END IF;
        IF are_promoted[i] AND statuses[i] IN ('failed', 'closed', 'reversed') THEN
            come_to_nothing := come_to_nothing || of_payments[i];
        END IF;
    END LOOP;
    IF captures > 0 AND NOT takes_back THEN
        PERFORM count_captures(captures, statuses, of_customers, fens, wallets, card_bins, of_merchants);
    END IF;
    IF rewarded <> '{}' THEN
        PERFORM owe_rewards(rewarded, rewarding);
    END IF;
    IF come_to_nothing <> '{}' THEN
        SELECT count(*) INTO given_back FROM give_back_redemptions(come_to_nothing);
    END IF;
    RETURN given_back;
END
$$;

CREATE FUNCTION free_coupons(ids text[], of_payments text[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF ids <> '{}' THEN
        PERFORM FROM coupons k WHERE k.id = ANY (ids) ORDER BY k.id FOR NO KEY UPDATE;
        UPDATE coupons k SET payment_id = NULL WHERE k.id = ANY (ids) AND k.payment_id = ANY (of_payments);
    END IF;
END
$$;

CREATE FUNCTION give_back_redemptions(of_payments text[]) RETURNS TABLE(payment_id text, campaign_id text, day date, slice smallint, fen bigint, count integer)
    LANGUAGE plpgsql
    AS $$
#variable_conflict use_column
DECLARE
    coupon_ids text[] := ARRAY(
        SELECT r.coupon_id FROM redemptions_of(of_payments) r
        WHERE r.coupon_id IS NOT NULL
            AND coupon_returns(r.payment_id, r.campaign_id, r.campaign_version, 'returns_on_cancel')
    );
BEGIN
    RETURN QUERY
    SELECT b.* FROM (
        SELECT array_agg(r.payment_id) AS payment_ids, array_agg(r.campaign_id) AS campaign_ids,
            array_agg(r.day) AS days, array_agg(r.slice) AS slices, array_agg(r.fen) AS fens,
            array_agg(true) AS wholes, array_agg(r.uses::text) AS uses
        FROM redemptions_of(of_payments) r
    ) r, put_back(r.payment_ids, r.campaign_ids, r.days, r.slices, r.fens, r.wholes, r.fens, r.uses) b;
    PERFORM free_coupons(coupon_ids, of_payments);
END
$$;

CREATE FUNCTION grant_day(of_campaign text, of_day date, of_share double precision) RETURNS date
    LANGUAGE plpgsql
    AS $$
DECLARE
    c record;
    today date;
    share double precision;
    elsewhere_fen bigint;
    elsewhere_number bigint;
    numbers smallint[];
    granted_fen bigint[];
    granted_number bigint[];
    used_fen bigint[];
    used_number bigint[];
BEGIN
    SELECT * INTO c FROM campaigns k WHERE k.id = of_campaign FOR NO KEY UPDATE;
    IF c.id IS NULL OR c.status NOT IN ('active', 'paused')
        OR coalesce(c.budget, c.budget_per_day, c.count, c.count_per_day) IS NULL
    THEN
        RETURN NULL;
    END IF;
    -- The time under the lock: whoever waited here over midnight grants the new day.
    today := (clock_timestamp() AT TIME ZONE c.timezone)::date;
    IF of_share IS NOT NULL AND of_day = today THEN
        INSERT INTO campaign_grants AS g (campaign_id, day, share) VALUES (c.id, today, of_share)
        ON CONFLICT (campaign_id) DO UPDATE SET day = excluded.day, share = excluded.share;
    END IF;
    -- A paced campaign that nobody has looked at today begins with an even hour.
    share := coalesce(
        (SELECT g.share FROM campaign_grants g WHERE g.campaign_id = c.id AND g.day = today),
        CASE WHEN c.document ->> 'pacing' IS NULL THEN 1 ELSE 1.0 / 24 END
    );
    PERFORM hurry();
    PERFORM FROM campaign_slices s
    WHERE s.campaign_id = c.id AND (s.day = today OR s.granted > s.used OR s.granted_count > s.used_count)
    ORDER BY s.campaign_id, s.day, s.slice
    FOR NO KEY UPDATE;
    UPDATE campaign_slices s SET granted = least(s.granted, s.used), granted_count = least(s.granted_count, s.used_count)
    WHERE s.campaign_id = c.id AND s.day < today AND (s.granted > s.used OR s.granted_count > s.used_count);
    INSERT INTO campaign_slices (campaign_id, day, slice, granted, granted_count)
    SELECT c.id, today, n, 0, 0 FROM generate_series(0, c.slices - 1) AS n
    ON CONFLICT DO NOTHING;

    SELECT coalesce(sum(coalesce(s.granted, s.used)), 0), coalesce(sum(coalesce(s.granted_count, s.used_count)), 0)
    INTO elsewhere_fen, elsewhere_number
    FROM campaign_slices s WHERE s.campaign_id = c.id AND s.day <> today;
    SELECT array_agg(s.slice ORDER BY s.slice), array_agg(s.granted ORDER BY s.slice),
        array_agg(s.granted_count ORDER BY s.slice), array_agg(s.used ORDER BY s.slice),
        array_agg(s.used_count ORDER BY s.slice)
    INTO numbers, granted_fen, granted_number, used_fen, used_number
    FROM campaign_slices s WHERE s.campaign_id = c.id AND s.day = today;
    granted_fen := levelled(
        granted_fen, used_fen, paced(c.budget - elsewhere_fen, c.budget_per_day, share), c.slices
    );
    granted_number := levelled(
        granted_number, used_number, paced(c.count - elsewhere_number, c.count_per_day, share), c.slices
    );
    UPDATE campaign_slices s SET granted = n.granted, granted_count = n.granted_count
    FROM unnest(numbers, granted_fen, granted_number) AS n (slice, granted, granted_count)
    WHERE s.campaign_id = c.id AND s.day = today AND s.slice = n.slice
        AND (s.granted IS DISTINCT FROM n.granted OR s.granted_count IS DISTINCT FROM n.granted_count);
    RETURN today;
END
$$;

CREATE FUNCTION hurry() RETURNS text
    LANGUAGE sql
    AS $$
    SELECT set_config('idle_in_transaction_session_timeout', '2s', true)
$$;

CREATE FUNCTION levelled(granted bigint[], used bigint[], target bigint, into_slices integer) RETURNS bigint[]
    LANGUAGE plpgsql IMMUTABLE
    AS $$
DECLARE
    delta bigint := target;
    place integer;
BEGIN
    IF target IS NULL THEN
        RETURN array_fill(NULL::bigint, ARRAY[cardinality(granted)]);
    END IF;
    FOR i IN 1 .. cardinality(granted) LOOP
        granted[i] := coalesce(granted[i], used[i]);
        delta := delta - granted[i];
    END LOOP;
    IF delta > 0 THEN
        FOR i IN 1 .. into_slices LOOP
            granted[i] := granted[i] + delta / into_slices + (i <= delta % into_slices)::integer;
        END LOOP;
    END IF;
    WHILE delta < 0 LOOP
        SELECT i INTO place FROM generate_subscripts(granted, 1) AS i ORDER BY granted[i] - used[i] DESC, i LIMIT 1;
        EXIT WHEN granted[place] = used[place];
        target := least(-delta, granted[place] - used[place]);
        granted[place] := granted[place] - target;
        delta := delta + target;
    END LOOP;
    RETURN granted;
END
$$;

CREATE FUNCTION note_changed_merchants() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    told bigint;
    ids text[];
BEGIN
    EXECUTE format('SELECT array_agg(DISTINCT %I) FROM changed', TG_ARGV[0]) INTO ids;
    IF ids IS NULL THEN
        RETURN NULL;
    END IF;
    UPDATE directory_revision SET revision = revision + 1, merchants = merchants + 1 RETURNING merchants INTO told;
    IF cardinality(ids) > 1000 THEN
        ids := ARRAY[NULL];
    END IF;
    INSERT INTO merchant_changes (number, merchant_id) SELECT told, unnest(ids);
    RETURN NULL;
END
$$;

CREATE FUNCTION owe_reward(of_payment text, of_merchant text) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO recovery_tasks (payment_id, merchant_id, purpose, next_at, created_at)
    SELECT of_payment, of_merchant, 'reward', now(), now()
    WHERE EXISTS (SELECT FROM redemptions WHERE payment_id = of_payment AND merchant_id = of_merchant AND rewards)
    ON CONFLICT (payment_id, purpose) DO UPDATE SET next_at = now();
    RETURN FOUND;
END
$$;

CREATE FUNCTION owe_rewards(of_payments text[], of_merchants text[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO recovery_tasks (payment_id, merchant_id, purpose, next_at, created_at)
    SELECT p.id, p.merchant_id, 'reward', now(), now()
    FROM unnest(of_payments, of_merchants) AS p (id, merchant_id)
    CROSS JOIN LATERAL (
        SELECT FROM redemptions r WHERE r.payment_id = p.id AND r.merchant_id = p.merchant_id AND r.rewards LIMIT 1
    ) r
    ORDER BY p.id
    ON CONFLICT (payment_id, purpose) DO UPDATE SET next_at = now();
END
$$;

CREATE FUNCTION paced(there bigint, per_day bigint, share double precision) RETURNS bigint
    LANGUAGE sql IMMUTABLE
    AS $$
    SELECT CASE WHEN coalesce(per_day, there) IS NOT NULL THEN
        greatest(least(floor(coalesce(per_day, there) * share)::bigint, there), 0)
    END
$$;

CREATE FUNCTION put_back(payment_ids text[], campaign_ids text[], days date[], slices smallint[], fens bigint[], wholes boolean[], taken bigint[], uses text[]) RETURNS TABLE(payment_id text, campaign_id text, day date, slice smallint, fen bigint, count integer)
    LANGUAGE plpgsql
    AS $$
#variable_conflict use_column
BEGIN
    PERFORM hurry();
    PERFORM FROM campaign_slices s
    WHERE (s.campaign_id, s.day, s.slice) IN (
        SELECT b.campaign_id, b.day, b.slice FROM unnest(campaign_ids, days, slices) AS b (campaign_id, day, slice)
    )
    ORDER BY s.campaign_id, s.day, s.slice
    FOR NO KEY UPDATE OF s;
    UPDATE campaign_slices s SET used = s.used - b.fen, used_count = s.used_count - b.count
    FROM (
        SELECT b.campaign_id, b.day, b.slice, sum(b.fen) AS fen, count(*) FILTER (WHERE b.whole) AS count
        FROM unnest(campaign_ids, days, slices, fens, wholes) AS b (campaign_id, day, slice, fen, whole)
        GROUP BY b.campaign_id, b.day, b.slice
    ) b
    WHERE s.campaign_id = b.campaign_id AND s.day = b.day AND s.slice = b.slice;
    PERFORM uncount_uses(
        array_agg(b.campaign_id), array_agg(u.use ->> 0), array_agg(u.use ->> 1), array_agg((u.use ->> 2)::date),
        array_agg(b.fen)
    )
    FROM unnest(campaign_ids, wholes, taken, uses) AS b (campaign_id, whole, fen, uses)
    CROSS JOIN LATERAL json_array_elements(b.uses::json) AS u (use)
    WHERE b.whole;
    RETURN QUERY
    SELECT b.payment_id, b.campaign_id, b.day, b.slice, b.fen, b.whole::integer
    FROM unnest(payment_ids, campaign_ids, days, slices, fens, wholes)
        AS b (payment_id, campaign_id, day, slice, fen, whole)
    WHERE b.slice IS NOT NULL AND (b.fen > 0 OR b.whole);
END
$$;

CREATE FUNCTION raise_directory_revision() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE directory_revision SET revision = revision + 1;
    RETURN NULL;
END
$$;

CREATE FUNCTION raise_places_revision() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE directory_revision SET revision = revision + 1, places = places + 1;
    RETURN NULL;
END
$$;

CREATE FUNCTION redemption_verdicts(campaign_ids text[], versions integer[], days date[], slices smallint[], coupon_ids text[], customers bytea[]) RETURNS text[]
    LANGUAGE plpgsql
    AS $$
BEGIN
    RETURN ARRAY(
        SELECT CASE
            WHEN c.id IS NULL OR c.status <> 'active' OR c.version <> r.version
                OR now() < c.starts_at OR now() >= c.ends_at
                OR (r.slice IS NULL) <> (coalesce(c.budget, c.budget_per_day, c.count, c.count_per_day) IS NULL)
                THEN 'changed'
            WHEN r.day <> (now() AT TIME ZONE c.timezone)::date THEN 'other_day'
            WHEN r.slice IS NOT NULL AND s.slice IS NULL THEN 'no_slice'
            WHEN r.coupon_id IS NOT NULL AND NOT EXISTS (
                SELECT FROM coupons k
                WHERE k.id = r.coupon_id AND k.campaign_id = r.campaign_id AND k.customer = r.customer
                    AND k.payment_id IS NULL AND k.voided_at IS NULL AND coalesce(k.expires_at > now(), true)
            ) THEN 'coupon'
        END
        FROM unnest(campaign_ids, versions, days, slices, coupon_ids, customers) WITH ORDINALITY
            AS r (campaign_id, version, day, slice, coupon_id, customer, position)
        LEFT JOIN campaigns c ON c.id = r.campaign_id
        LEFT JOIN campaign_slices s ON s.campaign_id = r.campaign_id AND s.day = r.day AND s.slice = r.slice
        ORDER BY r.position
    );
END
$$;

CREATE FUNCTION redemptions_of(of_payments text[]) RETURNS TABLE(payment_id text, seq smallint, campaign_id text, campaign_version integer, day date, slice smallint, fen bigint, uses json, coupon_id text, returns_budget boolean, returns_limits boolean)
    LANGUAGE plpgsql ROWS 1
    AS $$
#variable_conflict use_column
DECLARE
    of_payment text;
BEGIN
    FOREACH of_payment IN ARRAY of_payments LOOP
        RETURN QUERY
        SELECT r.payment_id, r.seq, r.campaign_id, r.campaign_version, r.day, r.slice, r.discount + r.fee_off, r.uses,
            r.coupon_id, r.returns_budget, r.returns_limits
        FROM redemptions r WHERE r.payment_id = of_payment ORDER BY r.seq;
    END LOOP;
END
$$;

CREATE FUNCTION refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is append-only';
END $$;

CREATE FUNCTION refuse_change_of_decision() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'decisions are append-only' USING ERRCODE = 'restrict_violation';
END
$$;

CREATE FUNCTION refuse_change_of_model() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'models are never changed' USING ERRCODE = 'restrict_violation';
END
$$;

CREATE FUNCTION refuse_change_of_risk_record() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$;

CREATE FUNCTION refuse_change_of_rule_set() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'a version of the risk rules never changes' USING ERRCODE = 'restrict_violation';
END
$$;

CREATE FUNCTION refuse_draws(payment_ids text[], campaign_ids text[], refusals text[], meters integer[], fens bigint[], rooms_fen bigint[], rooms_count bigint[]) RETURNS TABLE(refused_payment text, refusing_campaign text, refusal text, left_fen bigint, left_count bigint)
    LANGUAGE plpgsql
    AS $$
DECLARE
    fen_of bigint[] := array_fill(0::bigint, ARRAY[cardinality(meters)]);
    count_of bigint[] := fen_of;
    its_first integer := 1;
    meter integer;
BEGIN
    FOR i IN 1 .. cardinality(meters) LOOP
        CONTINUE WHEN payment_ids[i] = refused_payment;
        IF payment_ids[i] <> payment_ids[its_first] THEN
            its_first := i;
        END IF;
        meter := meters[i];
        IF (fens[i] > 0 AND fen_of[meter] + fens[i] > rooms_fen[i]) OR count_of[meter] + 1 > rooms_count[i] THEN
            refused_payment := payment_ids[i];
            refusing_campaign := campaign_ids[i];
            refusal := refusals[i];
            left_fen := rooms_fen[i] - fen_of[meter];
            left_count := rooms_count[i] - count_of[meter];
            RETURN NEXT;
            FOR earlier IN its_first .. i - 1 LOOP
                fen_of[meters[earlier]] := fen_of[meters[earlier]] - fens[earlier];
                count_of[meters[earlier]] := count_of[meters[earlier]] - 1;
            END LOOP;
        ELSE
            fen_of[meter] := fen_of[meter] + fens[i];
            count_of[meter] := count_of[meter] + 1;
        END IF;
    END LOOP;
END
$$;

CREATE FUNCTION refused_redemptions(left_out text[], payment_ids text[], campaign_ids text[], days date[], slices smallint[], discounts bigint[], fees_off bigint[], coupon_ids text[], verdicts text[], use_payments text[], use_campaigns text[], use_scopes text[], use_keys text[], use_days date[], use_fens bigint[], use_counts_max integer[], use_fens_max bigint[]) RETURNS TABLE(refused_payment text, refusing_campaign text, refusal text, left_fen bigint, left_count bigint)
    LANGUAGE plpgsql
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH redemption AS (
        SELECT * FROM unnest(
            payment_ids, campaign_ids, days, slices, discounts, fees_off, coupon_ids, verdicts
        ) WITH ORDINALITY AS r (
            payment_id, campaign_id, day, slice, discount, fee_off, coupon_id, verdict, position
        )
        WHERE r.payment_id <> ALL (left_out)
    ), draw AS (
        SELECT r.position, 0 AS rank, r.payment_id, r.campaign_id, r.verdict AS refusal, '' AS meter,
            0::bigint AS fen, NULL::bigint AS room_fen, 0::bigint AS room_count
        FROM redemption r WHERE r.verdict IS NOT NULL
        UNION ALL
        SELECT r.position, 2, r.payment_id, r.campaign_id, 'exhausted',
            concat_ws(' ', s.campaign_id, s.day, s.slice),
            r.discount + r.fee_off, s.granted - s.used, s.granted_count - s.used_count
        FROM redemption r
        JOIN campaign_slices s ON s.campaign_id = r.campaign_id AND s.day = r.day AND s.slice = r.slice
        UNION ALL
        SELECT r.position, 3, r.payment_id, r.campaign_id, 'limit',
            concat_ws(' ', u.campaign_id, u.scope, u.day, u.key), w.fen,
            w.fen_max - u.used + (sum(w.fen) OVER raised)::bigint,
            w.count_max - u.used_count + count(*) OVER raised
        FROM unnest(
            use_payments, use_campaigns, use_scopes, use_keys, use_days, use_fens, use_counts_max, use_fens_max
        ) AS w (payment_id, campaign_id, scope, key, day, fen, count_max, fen_max)
        JOIN redemption r ON r.payment_id = w.payment_id AND r.campaign_id = w.campaign_id
        JOIN campaign_uses u
            ON u.key = w.key AND u.campaign_id = w.campaign_id AND u.scope = w.scope AND u.day = w.day
        WINDOW raised AS (PARTITION BY w.key, w.campaign_id, w.scope, w.day)
        UNION ALL
        SELECT r.position, 1, r.payment_id, r.campaign_id, 'coupon', r.coupon_id, 0, NULL, 1
        FROM redemption r WHERE r.coupon_id IS NOT NULL
    ), numbered AS (
        SELECT d.*, dense_rank() OVER (ORDER BY d.rank, d.meter)::integer AS number,
            row_number() OVER (ORDER BY d.position, d.rank, d.meter) AS turn
        FROM draw d
    ), turns AS (
        SELECT array_agg(n.payment_id ORDER BY n.turn) AS payment_ids,
            array_agg(n.campaign_id ORDER BY n.turn) AS campaign_ids,
            array_agg(n.refusal ORDER BY n.turn) AS refusals, array_agg(n.number ORDER BY n.turn) AS meters,
            array_agg(n.fen ORDER BY n.turn) AS fens, array_agg(n.room_fen ORDER BY n.turn) AS rooms_fen,
            array_agg(n.room_count ORDER BY n.turn) AS rooms_count
        FROM numbered n
        HAVING count(*) > 0
    )
    SELECT d.* FROM turns t, refuse_draws(
        t.payment_ids, t.campaign_ids, t.refusals, t.meters, t.fens, t.rooms_fen, t.rooms_count
    ) d;
END
$$;

CREATE FUNCTION return_redemptions(of_payment text, of_seqs smallint[], fens bigint[], is_full boolean) RETURNS TABLE(payment_id text, campaign_id text, day date, slice smallint, fen bigint, count integer)
    LANGUAGE plpgsql
    AS $$
#variable_conflict use_column
DECLARE
    coupon_ids text[] := ARRAY(
        SELECT r.coupon_id FROM redemptions_of(ARRAY[of_payment]) r
        WHERE r.coupon_id IS NOT NULL
            AND coupon_returns(r.payment_id, r.campaign_id, r.campaign_version, 'returns_on_refund')
    );
BEGIN
    RETURN QUERY
    SELECT b.* FROM (
        SELECT array_agg(r.payment_id) AS payment_ids, array_agg(r.campaign_id) AS campaign_ids,
            array_agg(r.day) AS days, array_agg(r.slice) AS slices,
            array_agg(CASE WHEN r.returns_budget THEN f.fen ELSE 0 END) AS fens,
            array_agg(is_full AND r.returns_limits) AS wholes, array_agg(r.fen) AS taken,
            array_agg(r.uses::text) AS uses
        FROM unnest(of_seqs, fens) AS f (seq, fen)
        JOIN redemptions_of(ARRAY[of_payment]) r ON r.seq = f.seq
    ) r, put_back(r.payment_ids, r.campaign_ids, r.days, r.slices, r.fens, r.wholes, r.taken, r.uses) b;
    IF is_full THEN
        PERFORM free_coupons(coupon_ids, ARRAY[of_payment]);
        PERFORM owe_reward(r.payment_id, r.merchant_id)
        FROM redemptions r WHERE r.payment_id = of_payment AND r.rewards LIMIT 1;
    END IF;
END
$$;

CREATE FUNCTION risk_case_due(of_kind text) RETURNS timestamp with time zone
    LANGUAGE plpgsql STABLE
    AS $$
BEGIN
    RETURN (SELECT now() + make_interval(hours => t.due_hours) FROM risk_case_terms t WHERE t.kind = of_kind);
END
$$;

CREATE FUNCTION take_coupons(ids text[], campaign_ids text[], customers bytea[], merchant_ids text[], realms text[], sources text[], claim_keys text[], earned_bys text[], rewards_of text[], numbers smallint[], versions integer[], stocks bigint[], per_customers integer[], opens timestamp with time zone[], closes timestamp with time zone[], valid_hours integer[]) RETURNS TABLE(refusal text, replayed boolean, id text, campaign_id text, created_at timestamp with time zone, expires_at timestamp with time zone, at timestamp with time zone)
    LANGUAGE plpgsql
    AS $$
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

CREATE FUNCTION take_redemptions(written text[], payment_ids text[], merchant_ids text[], order_nos text[], customers bytea[], seqs smallint[], campaign_ids text[], versions integer[], names text[], days date[], slices smallint[], discounts bigint[], fees_off bigint[], fundings text[], uses text[], coupon_ids text[], rewards boolean[], budget_returns boolean[], limit_returns boolean[], new_customers boolean[], use_payments text[], use_campaigns text[], use_scopes text[], use_keys text[], use_days date[], use_fens bigint[], use_counts_max integer[], use_fens_max bigint[]) RETURNS TABLE(refused_payment text, refusing_campaign text, refusal text, left_fen bigint, left_count bigint)
    LANGUAGE plpgsql ROWS 1
    AS $$
DECLARE
    left_out text[] := ARRAY(SELECT unnest(payment_ids) EXCEPT SELECT unnest(written));
    refused text[] := '{}';
    verdicts text[];
    has_coupons boolean := array_remove(coupon_ids, NULL) <> '{}';
BEGIN
    PERFORM FROM campaign_slices s
    WHERE (s.campaign_id, s.day, s.slice) IN (
        SELECT r.campaign_id, r.day, r.slice FROM unnest(campaign_ids, days, slices) AS r (campaign_id, day, slice)
    )
    ORDER BY s.campaign_id, s.day, s.slice
    FOR NO KEY UPDATE OF s;
    IF use_payments <> '{}' THEN
        INSERT INTO campaign_uses AS u (key, campaign_id, scope, day, used_count, used)
        SELECT w.key, w.campaign_id, w.scope, w.day, count(*), sum(w.fen)
        FROM unnest(use_payments, use_campaigns, use_scopes, use_keys, use_days, use_fens)
            AS w (payment_id, campaign_id, scope, key, day, fen)
        WHERE w.payment_id <> ALL (left_out)
        GROUP BY w.key, w.campaign_id, w.scope, w.day
        ORDER BY w.key COLLATE "C", w.campaign_id COLLATE "C", w.scope COLLATE "C", w.day
        ON CONFLICT (key, campaign_id, scope, day)
        DO UPDATE SET used_count = u.used_count + excluded.used_count, used = u.used + excluded.used;
    END IF;
    IF has_coupons THEN
        PERFORM FROM coupons k WHERE k.id = ANY (coupon_ids) ORDER BY k.id FOR NO KEY UPDATE;
    END IF;

    verdicts := redemption_verdicts(campaign_ids, versions, days, slices, coupon_ids, customers);
    IF array_remove(verdicts, NULL) <> '{}'
        OR EXISTS (
            SELECT FROM (
                SELECT r.campaign_id, r.day, r.slice, sum(r.fen + r.fee_off) AS fen, count(*) AS count
                FROM unnest(payment_ids, campaign_ids, days, slices, discounts, fees_off)
                    AS r (payment_id, campaign_id, day, slice, fen, fee_off)
                WHERE r.payment_id <> ALL (left_out)
                GROUP BY r.campaign_id, r.day, r.slice
            ) d JOIN campaign_slices s ON s.campaign_id = d.campaign_id AND s.day = d.day AND s.slice = d.slice
            WHERE s.used + d.fen > s.granted OR s.used_count + d.count > s.granted_count
        )
        OR EXISTS (
            SELECT FROM unnest(use_campaigns, use_scopes, use_keys, use_days, use_counts_max, use_fens_max)
                AS w (campaign_id, scope, key, day, count_max, fen_max)
            JOIN campaign_uses u
                ON u.key = w.key AND u.campaign_id = w.campaign_id AND u.scope = w.scope AND u.day = w.day
            WHERE u.used_count > w.count_max OR u.used > w.fen_max
        )
        OR has_coupons AND (SELECT count(k) > count(DISTINCT k) FROM unnest(coupon_ids) AS k)
    THEN
        FOR refused_payment, refusing_campaign, refusal, left_fen, left_count IN
            SELECT * FROM refused_redemptions(
                left_out, payment_ids, campaign_ids, days, slices, discounts, fees_off, coupon_ids, verdicts,
                use_payments, use_campaigns, use_scopes, use_keys, use_days, use_fens, use_counts_max, use_fens_max
            )
        LOOP
            refused := refused || refused_payment;
            RETURN NEXT;
        END LOOP;
        left_out := left_out || refused;
        PERFORM uncount_uses(
            array_agg(w.campaign_id), array_agg(w.scope), array_agg(w.key), array_agg(w.day), array_agg(w.fen)
        )
        FROM unnest(use_payments, use_campaigns, use_scopes, use_keys, use_days, use_fens)
            AS w (payment_id, campaign_id, scope, key, day, fen)
        WHERE w.payment_id = ANY (refused);
        DELETE FROM campaign_uses u
        USING unnest(use_payments, use_campaigns, use_scopes, use_keys, use_days)
            AS w (payment_id, campaign_id, scope, key, day)
        WHERE w.payment_id = ANY (refused) AND u.used_count = 0 AND u.used = 0
            AND u.key = w.key AND u.campaign_id = w.campaign_id AND u.scope = w.scope AND u.day = w.day;
        DELETE FROM order_numbers o
        USING unnest(payment_ids, merchant_ids, order_nos) AS r (payment_id, merchant_id, order_no)
        WHERE r.payment_id = ANY (refused) AND o.payment_id = r.payment_id
            AND o.merchant_id = r.merchant_id AND o.merchant_order_no = r.order_no;
    END IF;

    UPDATE campaign_slices s SET used = s.used + d.fen, used_count = s.used_count + d.count
    FROM (
        SELECT r.campaign_id, r.day, r.slice, sum(r.fen + r.fee_off) AS fen, count(*) AS count
        FROM unnest(payment_ids, campaign_ids, days, slices, discounts, fees_off)
            AS r (payment_id, campaign_id, day, slice, fen, fee_off)
        WHERE r.payment_id <> ALL (left_out)
        GROUP BY r.campaign_id, r.day, r.slice
    ) d
    WHERE s.campaign_id = d.campaign_id AND s.day = d.day AND s.slice = d.slice;
    IF has_coupons THEN
        UPDATE coupons k SET payment_id = r.payment_id
        FROM unnest(payment_ids, coupon_ids) AS r (payment_id, coupon_id)
        WHERE k.id = r.coupon_id AND r.payment_id <> ALL (left_out);
    END IF;
    INSERT INTO redemptions (
        payment_id, merchant_id, seq, campaign_id, campaign_version, name, day, slice, discount, fee_off, funding,
        uses, coupon_id, rewards, returns_budget, returns_limits, new_customer, created_at
    )
    SELECT r.payment_id, r.merchant_id, r.seq, r.campaign_id, r.version, r.name, r.day, r.slice, r.discount, r.fee_off,
        r.funding::json, r.uses::json, r.coupon_id, r.rewards, r.returns_budget, r.returns_limits, r.new_customer, now()
    FROM unnest(
        payment_ids, merchant_ids, seqs, campaign_ids, versions, names, days, slices, discounts, fees_off, fundings,
        uses, coupon_ids, rewards, budget_returns, limit_returns, new_customers
    ) AS r (
        payment_id, merchant_id, seq, campaign_id, version, name, day, slice, discount, fee_off, funding,
        uses, coupon_id, rewards, returns_budget, returns_limits, new_customer
    )
    WHERE r.payment_id <> ALL (left_out);
END
$$;

CREATE FUNCTION uncount_uses(use_campaigns text[], use_scopes text[], use_keys text[], use_days date[], use_fens bigint[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM FROM campaign_uses u
    WHERE (u.key, u.campaign_id, u.scope, u.day) IN (
        SELECT w.key, w.campaign_id, w.scope, w.day
        FROM unnest(use_campaigns, use_scopes, use_keys, use_days) AS w (campaign_id, scope, key, day)
    )
    ORDER BY u.key, u.campaign_id, u.scope COLLATE "C", u.day
    FOR NO KEY UPDATE OF u;
    UPDATE campaign_uses u SET used_count = u.used_count - w.count, used = u.used - w.fen
    FROM (
        SELECT campaign_id, scope, key, day, count(*) AS count, sum(fen) AS fen
        FROM unnest(use_campaigns, use_scopes, use_keys, use_days, use_fens) AS w (campaign_id, scope, key, day, fen)
        GROUP BY campaign_id, scope, key, day
    ) w
    WHERE u.key = w.key AND u.campaign_id = w.campaign_id AND u.scope = w.scope AND u.day = w.day;
END
$$;

CREATE TABLE account_days (
    account_id text NOT NULL COLLATE "C",
    day date NOT NULL,
    captured_fen bigint DEFAULT 0 NOT NULL,
    captured_count bigint DEFAULT 0 NOT NULL,
    CONSTRAINT account_days_pkey PRIMARY KEY (account_id, day)
);

CREATE TABLE admin_requests (
    key text NOT NULL COLLATE "C",
    fingerprint bytea NOT NULL,
    status smallint NOT NULL,
    answer_sealed bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT admin_requests_pkey PRIMARY KEY (key)
);

CREATE TABLE api_keys (
    id text NOT NULL COLLATE "C",
    merchant_id text NOT NULL COLLATE "C",
    secret_hash bytea NOT NULL,
    hint text NOT NULL,
    scopes text[] NOT NULL,
    signing_secret_sealed bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    revoked_at timestamp with time zone,
    CONSTRAINT api_keys_pkey PRIMARY KEY (id),
    CONSTRAINT api_keys_secret_hash_key UNIQUE (secret_hash)
);

CREATE TABLE attempts (
    payment_id text NOT NULL COLLATE "C",
    merchant_id text NOT NULL COLLATE "C",
    seq smallint NOT NULL,
    account_id text NOT NULL COLLATE "C",
    state text DEFAULT 'open'::text NOT NULL,
    send_before timestamp with time zone NOT NULL,
    channel_trade_no text,
    channel_code text,
    payer_paid bigint,
    payer_hash bytea,
    paid_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    pay_until timestamp with time zone,
    page_sealed bytea,
    routing json,
    CONSTRAINT attempts_seq_check CHECK ((seq > 0)),
    CONSTRAINT attempts_state_check CHECK ((state = ANY (ARRAY['open'::text, 'captured'::text, 'refused'::text, 'unsent'::text, 'not_created'::text, 'reversed'::text, 'closed'::text]))),
    CONSTRAINT attempts_pkey PRIMARY KEY (payment_id, merchant_id, seq)
) PARTITION BY RANGE (payment_id);

CREATE TABLE attempts_default PARTITION OF attempts DEFAULT WITH (fillfactor='60');

CREATE TABLE audit_runs (
    id bigint NOT NULL,
    audited_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone DEFAULT now() NOT NULL,
    kind text NOT NULL,
    first_day date,
    last_day date,
    payments bigint NOT NULL,
    compared jsonb NOT NULL,
    mismatches jsonb NOT NULL,
    findings bigint NOT NULL,
    agreed boolean NOT NULL,
    CONSTRAINT audit_runs_check CHECK (((first_day IS NULL) = (last_day IS NULL))),
    CONSTRAINT audit_runs_check1 CHECK ((agreed = (findings = 0))),
    CONSTRAINT audit_runs_kind_check CHECK ((kind = ANY (ARRAY['three_books'::text, 'own_books'::text]))),
    CONSTRAINT audit_runs_pkey PRIMARY KEY (id)
);

ALTER TABLE audit_runs ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME audit_runs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE audit_trail (
    seq bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    person text,
    address text,
    action text NOT NULL,
    subject text NOT NULL,
    detail json NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT audit_trail_pkey PRIMARY KEY (seq)
);

CREATE TABLE callbacks (
    payment_id text NOT NULL COLLATE "C",
    account_id text NOT NULL COLLATE "C",
    notification_id text NOT NULL COLLATE "C",
    order_no text NOT NULL COLLATE "C",
    refund_no text COLLATE "C",
    report_sealed bytea NOT NULL,
    body_sealed bytea,
    received_at timestamp with time zone DEFAULT now() NOT NULL,
    result text,
    tries integer DEFAULT 0 NOT NULL,
    next_at timestamp with time zone NOT NULL,
    applied_at timestamp with time zone,
    settled_at timestamp with time zone,
    CONSTRAINT callbacks_result_check CHECK ((result = ANY (ARRAY['applied'::text, 'no_change'::text, 'late'::text, 'review'::text, 'orphan'::text]))),
    CONSTRAINT callbacks_pkey PRIMARY KEY (payment_id, account_id, notification_id)
) PARTITION BY RANGE (payment_id);

CREATE TABLE callbacks_default PARTITION OF callbacks DEFAULT WITH (fillfactor='80');

CREATE TABLE campaign_grants (
    campaign_id text NOT NULL COLLATE "C",
    day date NOT NULL,
    share double precision NOT NULL,
    CONSTRAINT campaign_grants_share_check CHECK (((share >= (0)::double precision) AND (share <= (1)::double precision))),
    CONSTRAINT campaign_grants_pkey PRIMARY KEY (campaign_id)
) WITH (fillfactor='50');

CREATE TABLE campaign_hours (
    campaign_id text NOT NULL COLLATE "C",
    hour timestamp with time zone NOT NULL,
    what text NOT NULL,
    count bigint DEFAULT 0 NOT NULL,
    CONSTRAINT campaign_hours_pkey PRIMARY KEY (campaign_id, hour, what)
);

CREATE TABLE campaign_pace (
    campaign_id text NOT NULL COLLATE "C",
    share double precision NOT NULL,
    day date NOT NULL,
    used bigint NOT NULL,
    spent double precision NOT NULL,
    exposed_s double precision NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT campaign_pace_share_check CHECK (((share >= (0)::double precision) AND (share <= (1)::double precision))),
    CONSTRAINT campaign_pace_pkey PRIMARY KEY (campaign_id)
) WITH (fillfactor='50');

CREATE TABLE campaign_slices (
    campaign_id text NOT NULL COLLATE "C",
    day date NOT NULL,
    slice smallint NOT NULL,
    granted bigint,
    used bigint DEFAULT 0 NOT NULL,
    granted_count bigint,
    used_count bigint DEFAULT 0 NOT NULL,
    CONSTRAINT campaign_slices_check CHECK ((used <= granted)),
    CONSTRAINT campaign_slices_check1 CHECK ((used_count <= granted_count)),
    CONSTRAINT campaign_slices_used_check CHECK ((used >= 0)),
    CONSTRAINT campaign_slices_used_count_check CHECK ((used_count >= 0)),
    CONSTRAINT campaign_slices_pkey PRIMARY KEY (campaign_id, day, slice)
) WITH (fillfactor='30', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='1000');

CREATE TABLE campaign_top_ups (
    campaign_id text NOT NULL COLLATE "C",
    key text NOT NULL COLLATE "C",
    amount bigint NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT campaign_top_ups_amount_check CHECK ((amount > 0)),
    CONSTRAINT campaign_top_ups_pkey PRIMARY KEY (campaign_id, key)
);

CREATE TABLE campaign_uses (
    key text NOT NULL COLLATE "C",
    campaign_id text NOT NULL COLLATE "C",
    scope text NOT NULL,
    day date NOT NULL,
    used_count integer DEFAULT 0 NOT NULL,
    used bigint DEFAULT 0 NOT NULL,
    CONSTRAINT campaign_uses_scope_check CHECK ((scope = ANY (ARRAY['customer'::text, 'device'::text, 'store'::text, 'merchant'::text, 'region'::text, 'code'::text]))),
    CONSTRAINT campaign_uses_used_check CHECK ((used >= 0)),
    CONSTRAINT campaign_uses_used_count_check CHECK ((used_count >= 0)),
    CONSTRAINT campaign_uses_pkey PRIMARY KEY (key, campaign_id, scope, day)
) WITH (fillfactor='70');

CREATE TABLE campaign_versions (
    campaign_id text NOT NULL COLLATE "C",
    version integer NOT NULL,
    document json NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT campaign_versions_pkey PRIMARY KEY (campaign_id, version)
);

CREATE TABLE campaigns (
    id text NOT NULL COLLATE "C",
    status text DEFAULT 'draft'::text NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    document json NOT NULL,
    budget bigint,
    budget_per_day bigint,
    count bigint,
    count_per_day bigint,
    slices smallint DEFAULT 1 NOT NULL,
    timezone text NOT NULL,
    starts_at timestamp with time zone,
    ends_at timestamp with time zone,
    revision bigint DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    activated_at timestamp with time zone,
    ended_at timestamp with time zone,
    CONSTRAINT campaigns_budget_check CHECK ((budget >= 0)),
    CONSTRAINT campaigns_budget_per_day_check CHECK ((budget_per_day >= 0)),
    CONSTRAINT campaigns_count_check CHECK ((count >= 0)),
    CONSTRAINT campaigns_count_per_day_check CHECK ((count_per_day >= 0)),
    CONSTRAINT campaigns_slices_check CHECK (((slices >= 1) AND (slices <= 64))),
    CONSTRAINT campaigns_status_check CHECK ((status = ANY (ARRAY['draft'::text, 'active'::text, 'paused'::text, 'ended'::text]))),
    CONSTRAINT campaigns_pkey PRIMARY KEY (id)
);

CREATE TABLE channel_accounts (
    id text NOT NULL COLLATE "C",
    channel text NOT NULL,
    wallets text[] NOT NULL,
    status text DEFAULT 'enabled'::text NOT NULL,
    priority integer DEFAULT 100 NOT NULL,
    fee_rate_millionths integer NOT NULL,
    settings_sealed bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    merchant_id text COLLATE "C",
    previous_settings_sealed bytea,
    previous_until timestamp with time zone,
    terms json,
    CONSTRAINT channel_accounts_fee_rate_millionths_check CHECK (((fee_rate_millionths >= 0) AND (fee_rate_millionths <= 1000000))),
    CONSTRAINT channel_accounts_status_check CHECK ((status = ANY (ARRAY['enabled'::text, 'draining'::text, 'disabled'::text]))),
    CONSTRAINT channel_accounts_pkey PRIMARY KEY (id)
);

CREATE TABLE codes (
    id text NOT NULL COLLATE "C",
    token text NOT NULL COLLATE "C",
    merchant_id text NOT NULL COLLATE "C",
    name text NOT NULL,
    description text,
    amount bigint,
    store_id text,
    terminal_id text,
    operator_id text,
    metadata json,
    status text DEFAULT 'active'::text NOT NULL,
    idempotency_key text COLLATE "C",
    request_fingerprint bytea,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    revoked_at timestamp with time zone,
    CONSTRAINT codes_amount_check CHECK ((amount > 0)),
    CONSTRAINT codes_status_check CHECK ((status = ANY (ARRAY['active'::text, 'revoked'::text]))),
    CONSTRAINT codes_pkey PRIMARY KEY (id),
    CONSTRAINT codes_token_key UNIQUE (token)
);

CREATE TABLE coupon_stock (
    campaign_id text NOT NULL COLLATE "C",
    taken bigint DEFAULT 0 NOT NULL,
    CONSTRAINT coupon_stock_taken_check CHECK ((taken >= 0)),
    CONSTRAINT coupon_stock_pkey PRIMARY KEY (campaign_id)
) WITH (fillfactor='20', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='1000');

CREATE TABLE coupons (
    id text NOT NULL COLLATE "C",
    campaign_id text NOT NULL COLLATE "C",
    customer bytea NOT NULL,
    merchant_id text NOT NULL COLLATE "C",
    realm text NOT NULL COLLATE "C",
    source text NOT NULL,
    claim_key text COLLATE "C",
    earned_by text COLLATE "C",
    reward_of text COLLATE "C",
    number smallint,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone,
    payment_id text COLLATE "C",
    voided_at timestamp with time zone,
    void_reason text,
    CONSTRAINT coupons_check CHECK (((source = 'issued'::text) = (earned_by IS NOT NULL))),
    CONSTRAINT coupons_check1 CHECK ((((earned_by IS NULL) = (reward_of IS NULL)) AND ((earned_by IS NULL) = (number IS NULL)))),
    CONSTRAINT coupons_check2 CHECK (((voided_at IS NULL) = (void_reason IS NULL))),
    CONSTRAINT coupons_check3 CHECK (((voided_at IS NULL) OR (payment_id IS NULL))),
    CONSTRAINT coupons_source_check CHECK ((source = ANY (ARRAY['claimed'::text, 'issued'::text, 'granted'::text]))),
    CONSTRAINT coupons_void_reason_check CHECK ((void_reason = ANY (ARRAY['refunded'::text, 'reversed'::text, 'manager'::text]))),
    CONSTRAINT coupons_pkey PRIMARY KEY (id)
) WITH (fillfactor='80');

CREATE TABLE customers (
    customer bytea NOT NULL,
    orders integer DEFAULT 0 NOT NULL,
    spent bigint DEFAULT 0 NOT NULL,
    first_at timestamp with time zone,
    last_at timestamp with time zone,
    by_wallet jsonb DEFAULT '{}'::jsonb NOT NULL,
    by_bin jsonb DEFAULT '{}'::jsonb NOT NULL,
    by_merchant jsonb DEFAULT '{}'::jsonb NOT NULL,
    segments text[] DEFAULT '{}'::text[] NOT NULL,
    CONSTRAINT customers_pkey PRIMARY KEY (customer)
) WITH (fillfactor='70');

CREATE TABLE directory_revision (
    singleton boolean DEFAULT true NOT NULL,
    revision bigint NOT NULL,
    places bigint DEFAULT 1 NOT NULL,
    merchants bigint DEFAULT 0 NOT NULL,
    CONSTRAINT directory_revision_singleton_check CHECK (singleton),
    CONSTRAINT directory_revision_pkey PRIMARY KEY (singleton)
);

CREATE TABLE events (
    payment_id text NOT NULL COLLATE "C",
    merchant_id text NOT NULL COLLATE "C",
    seq integer NOT NULL,
    type text NOT NULL,
    from_status text,
    to_status text NOT NULL,
    at timestamp with time zone NOT NULL,
    id text COLLATE "C",
    refund_id text COLLATE "C",
    CONSTRAINT events_pkey PRIMARY KEY (payment_id, merchant_id, seq)
) PARTITION BY RANGE (payment_id);

CREATE TABLE events_default PARTITION OF events DEFAULT;

CREATE TABLE events_of_coupons PARTITION OF events FOR VALUES FROM ('cpn_') TO ('cpn`');

CREATE TABLE idempotency_keys (
    merchant_id text NOT NULL COLLATE "C",
    key text NOT NULL COLLATE "C",
    payment_id text NOT NULL COLLATE "C",
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (merchant_id, key)
) PARTITION BY HASH (merchant_id);

CREATE TABLE idempotency_keys_0 PARTITION OF idempotency_keys FOR VALUES WITH (modulus 8, remainder 0);
CREATE TABLE idempotency_keys_1 PARTITION OF idempotency_keys FOR VALUES WITH (modulus 8, remainder 1);
CREATE TABLE idempotency_keys_2 PARTITION OF idempotency_keys FOR VALUES WITH (modulus 8, remainder 2);
CREATE TABLE idempotency_keys_3 PARTITION OF idempotency_keys FOR VALUES WITH (modulus 8, remainder 3);
CREATE TABLE idempotency_keys_4 PARTITION OF idempotency_keys FOR VALUES WITH (modulus 8, remainder 4);
CREATE TABLE idempotency_keys_5 PARTITION OF idempotency_keys FOR VALUES WITH (modulus 8, remainder 5);
CREATE TABLE idempotency_keys_6 PARTITION OF idempotency_keys FOR VALUES WITH (modulus 8, remainder 6);
CREATE TABLE idempotency_keys_7 PARTITION OF idempotency_keys FOR VALUES WITH (modulus 8, remainder 7);

CREATE TABLE late_captures (
    payment_id text NOT NULL COLLATE "C",
    merchant_id text NOT NULL COLLATE "C",
    attempt_seq smallint NOT NULL,
    account_id text NOT NULL COLLATE "C",
    channel_trade_no text,
    amount bigint NOT NULL,
    found_at timestamp with time zone NOT NULL,
    status text DEFAULT 'pending'::text NOT NULL,
    refunded_at timestamp with time zone,
    review_at timestamp with time zone,
    CONSTRAINT late_captures_amount_check CHECK ((amount > 0)),
    CONSTRAINT late_captures_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'refunded'::text, 'review'::text]))),
    CONSTRAINT late_captures_pkey PRIMARY KEY (payment_id, merchant_id, attempt_seq)
);

CREATE TABLE merchant_changes (
    number bigint NOT NULL,
    merchant_id text COLLATE "C",
    at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE merchants (
    id text NOT NULL COLLATE "C",
    name text NOT NULL,
    status text DEFAULT 'active'::text NOT NULL,
    timezone text DEFAULT 'Asia/Shanghai'::text NOT NULL,
    webhook_secret_sealed bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    signing_required boolean DEFAULT false NOT NULL,
    receipt_discounts text DEFAULT 'by_funder'::text NOT NULL,
    customer_realm text COLLATE "C",
    category text,
    region text,
    risk_open_amount_max bigint DEFAULT 500000,
    risk_tier text,
    payments_per_s integer,
    payments_burst integer,
    payments_in_flight_max integer,
    CONSTRAINT merchants_payments_burst_check CHECK ((payments_burst > 0)),
    CONSTRAINT merchants_payments_in_flight_max_check CHECK ((payments_in_flight_max > 0)),
    CONSTRAINT merchants_payments_per_s_check CHECK ((payments_per_s > 0)),
    CONSTRAINT merchants_receipt_discounts_check CHECK ((receipt_discounts = ANY (ARRAY['by_funder'::text, 'total'::text, 'none'::text]))),
    CONSTRAINT merchants_risk_open_amount_max_check CHECK ((risk_open_amount_max >= 0)),
    CONSTRAINT merchants_status_check CHECK ((status = ANY (ARRAY['active'::text, 'suspended'::text]))),
    CONSTRAINT merchants_pkey PRIMARY KEY (id)
);

CREATE TABLE order_numbers (
    merchant_id text NOT NULL COLLATE "C",
    merchant_order_no text NOT NULL COLLATE "C",
    payment_id text NOT NULL COLLATE "C",
    CONSTRAINT order_numbers_pkey PRIMARY KEY (merchant_id, merchant_order_no)
) PARTITION BY HASH (merchant_id);

CREATE TABLE order_numbers_0 PARTITION OF order_numbers FOR VALUES WITH (modulus 8, remainder 0);
CREATE TABLE order_numbers_1 PARTITION OF order_numbers FOR VALUES WITH (modulus 8, remainder 1);
CREATE TABLE order_numbers_2 PARTITION OF order_numbers FOR VALUES WITH (modulus 8, remainder 2);
CREATE TABLE order_numbers_3 PARTITION OF order_numbers FOR VALUES WITH (modulus 8, remainder 3);
CREATE TABLE order_numbers_4 PARTITION OF order_numbers FOR VALUES WITH (modulus 8, remainder 4);
CREATE TABLE order_numbers_5 PARTITION OF order_numbers FOR VALUES WITH (modulus 8, remainder 5);
CREATE TABLE order_numbers_6 PARTITION OF order_numbers FOR VALUES WITH (modulus 8, remainder 6);
CREATE TABLE order_numbers_7 PARTITION OF order_numbers FOR VALUES WITH (modulus 8, remainder 7);

CREATE TABLE payments (
    id text NOT NULL COLLATE "C",
    merchant_id text NOT NULL COLLATE "C",
    merchant_order_no text NOT NULL COLLATE "C",
    status text NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    amount bigint NOT NULL,
    payable bigint NOT NULL,
    currency text NOT NULL,
    method text NOT NULL,
    wallet text,
    account_id text COLLATE "C",
    attempt_seq smallint NOT NULL,
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
    reversal text,
    review text,
    amount_refunded bigint DEFAULT 0 NOT NULL,
    late_captures smallint DEFAULT 0 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    completed_at timestamp with time zone,
    expires_at timestamp with time zone NOT NULL,
    qr_code text,
    code_id text COLLATE "C",
    attempt_at timestamp with time zone,
    pay_until timestamp with time zone,
    refund_held bigint DEFAULT 0 NOT NULL,
    refund_count smallint DEFAULT 0 NOT NULL,
    review_at timestamp with time zone,
    any_wallet boolean DEFAULT false NOT NULL,
    customer bytea,
    card_bin bytea,
    pricing json,
    promoted boolean DEFAULT false NOT NULL,
    risk_version integer,
    CONSTRAINT payments_amount_check CHECK ((amount > 0)),
    CONSTRAINT payments_attempt_seq_check CHECK ((attempt_seq >= 0)),
    CONSTRAINT payments_check CHECK (((payable >= 0) AND (payable <= amount))),
    CONSTRAINT payments_check1 CHECK (((amount_refunded >= 0) AND (amount_refunded <= amount))),
    CONSTRAINT payments_refund_held_check CHECK (((amount_refunded <= refund_held) AND (refund_held <= amount))),
    CONSTRAINT payments_reversal_check CHECK ((reversal = ANY (ARRAY['pending'::text, 'succeeded'::text, 'failed'::text]))),
    CONSTRAINT payments_status_check CHECK ((status = ANY (ARRAY['processing'::text, 'requires_action'::text, 'succeeded'::text, 'failed'::text, 'closed'::text, 'reversed'::text]))),
    CONSTRAINT payments_pkey PRIMARY KEY (id, merchant_id)
) PARTITION BY RANGE (id);

CREATE TABLE payments_default PARTITION OF payments DEFAULT WITH (fillfactor='60');

CREATE TABLE pool_state (
    singleton boolean DEFAULT true NOT NULL,
    epoch bigint DEFAULT 1 NOT NULL,
    generation bigint DEFAULT 0 NOT NULL,
    fenced_at timestamp with time zone,
    reason text,
    beaten_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT pool_state_singleton_check CHECK (singleton),
    CONSTRAINT pool_state_pkey PRIMARY KEY (singleton)
) WITH (fillfactor='30');

CREATE TABLE recovery_tasks (
    payment_id text NOT NULL COLLATE "C",
    merchant_id text NOT NULL COLLATE "C",
    purpose text NOT NULL,
    next_at timestamp with time zone NOT NULL,
    tries integer DEFAULT 0 NOT NULL,
    lease_until timestamp with time zone,
    lease_token bigint DEFAULT 0 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    late_from timestamp with time zone,
    asked_at timestamp with time zone,
    CONSTRAINT recovery_tasks_purpose_check CHECK ((purpose = ANY (ARRAY['resolve'::text, 'watch'::text, 'give_back'::text, 'refund'::text, 'reward'::text]))),
    CONSTRAINT recovery_tasks_pkey PRIMARY KEY (payment_id, purpose)
) WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='20000', autovacuum_vacuum_cost_delay='0', autovacuum_analyze_threshold='20000');

CREATE TABLE redemptions (
    payment_id text NOT NULL COLLATE "C",
    merchant_id text NOT NULL COLLATE "C",
    seq smallint NOT NULL,
    campaign_id text NOT NULL COLLATE "C",
    campaign_version integer NOT NULL,
    name text NOT NULL,
    day date NOT NULL,
    slice smallint,
    discount bigint NOT NULL,
    fee_off bigint DEFAULT 0 NOT NULL,
    funding json NOT NULL,
    uses json,
    coupon_id text COLLATE "C",
    rewards boolean DEFAULT false NOT NULL,
    returns_budget boolean NOT NULL,
    returns_limits boolean NOT NULL,
    new_customer boolean,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT redemptions_discount_check CHECK ((discount >= 0)),
    CONSTRAINT redemptions_fee_off_check CHECK ((fee_off >= 0)),
    CONSTRAINT redemptions_seq_check CHECK ((seq > 0)),
    CONSTRAINT redemptions_pkey PRIMARY KEY (payment_id, merchant_id, seq)
) PARTITION BY RANGE (payment_id);

CREATE TABLE redemptions_default PARTITION OF redemptions DEFAULT;

CREATE TABLE refund_keys (
    merchant_id text NOT NULL COLLATE "C",
    key text NOT NULL COLLATE "C",
    refund_id text NOT NULL COLLATE "C",
    CONSTRAINT refund_keys_pkey PRIMARY KEY (merchant_id, key)
) PARTITION BY HASH (merchant_id);

CREATE TABLE refund_keys_0 PARTITION OF refund_keys FOR VALUES WITH (modulus 8, remainder 0);
CREATE TABLE refund_keys_1 PARTITION OF refund_keys FOR VALUES WITH (modulus 8, remainder 1);
CREATE TABLE refund_keys_2 PARTITION OF refund_keys FOR VALUES WITH (modulus 8, remainder 2);
CREATE TABLE refund_keys_3 PARTITION OF refund_keys FOR VALUES WITH (modulus 8, remainder 3);
CREATE TABLE refund_keys_4 PARTITION OF refund_keys FOR VALUES WITH (modulus 8, remainder 4);
CREATE TABLE refund_keys_5 PARTITION OF refund_keys FOR VALUES WITH (modulus 8, remainder 5);
CREATE TABLE refund_keys_6 PARTITION OF refund_keys FOR VALUES WITH (modulus 8, remainder 6);
CREATE TABLE refund_keys_7 PARTITION OF refund_keys FOR VALUES WITH (modulus 8, remainder 7);

CREATE TABLE refund_numbers (
    merchant_id text NOT NULL COLLATE "C",
    merchant_refund_no text NOT NULL COLLATE "C",
    refund_id text NOT NULL COLLATE "C",
    CONSTRAINT refund_numbers_pkey PRIMARY KEY (merchant_id, merchant_refund_no)
) PARTITION BY HASH (merchant_id);

CREATE TABLE refund_numbers_0 PARTITION OF refund_numbers FOR VALUES WITH (modulus 8, remainder 0);
CREATE TABLE refund_numbers_1 PARTITION OF refund_numbers FOR VALUES WITH (modulus 8, remainder 1);
CREATE TABLE refund_numbers_2 PARTITION OF refund_numbers FOR VALUES WITH (modulus 8, remainder 2);
CREATE TABLE refund_numbers_3 PARTITION OF refund_numbers FOR VALUES WITH (modulus 8, remainder 3);
CREATE TABLE refund_numbers_4 PARTITION OF refund_numbers FOR VALUES WITH (modulus 8, remainder 4);
CREATE TABLE refund_numbers_5 PARTITION OF refund_numbers FOR VALUES WITH (modulus 8, remainder 5);
CREATE TABLE refund_numbers_6 PARTITION OF refund_numbers FOR VALUES WITH (modulus 8, remainder 6);
CREATE TABLE refund_numbers_7 PARTITION OF refund_numbers FOR VALUES WITH (modulus 8, remainder 7);

CREATE TABLE refunds (
    id text NOT NULL COLLATE "C",
    merchant_id text NOT NULL COLLATE "C",
    payment_id text NOT NULL COLLATE "C",
    merchant_refund_no text NOT NULL COLLATE "C",
    seq smallint NOT NULL,
    attempt_seq smallint NOT NULL,
    account_id text NOT NULL COLLATE "C",
    amount bigint NOT NULL,
    returned_to_customer bigint NOT NULL,
    discount_returned bigint NOT NULL,
    fee_returned bigint NOT NULL,
    funding json,
    currency text NOT NULL,
    status text DEFAULT 'pending'::text NOT NULL,
    reason text,
    store_id text,
    terminal_id text,
    operator_id text,
    metadata json,
    channel_refund_no text,
    failure_code text,
    failure_channel_code text,
    review text,
    review_at timestamp with time zone,
    asked_at timestamp with time zone,
    last_asked_at timestamp with time zone,
    tries integer DEFAULT 0 NOT NULL,
    next_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone NOT NULL,
    completed_at timestamp with time zone,
    CONSTRAINT refunds_amount_check CHECK ((amount > 0)),
    CONSTRAINT refunds_check CHECK ((amount = (returned_to_customer + discount_returned))),
    CONSTRAINT refunds_check1 CHECK (((status = 'pending'::text) = (completed_at IS NULL))),
    CONSTRAINT refunds_discount_returned_check CHECK ((discount_returned >= 0)),
    CONSTRAINT refunds_fee_returned_check CHECK ((fee_returned >= 0)),
    CONSTRAINT refunds_returned_to_customer_check CHECK ((returned_to_customer >= 0)),
    CONSTRAINT refunds_seq_check CHECK ((seq > 0)),
    CONSTRAINT refunds_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'succeeded'::text, 'failed'::text]))),
    CONSTRAINT refunds_pkey PRIMARY KEY (id, merchant_id)
) PARTITION BY RANGE (id);

CREATE TABLE refunds_default PARTITION OF refunds DEFAULT WITH (fillfactor='80');

CREATE TABLE replacements (
    merchant_id text NOT NULL COLLATE "C",
    replaced_id text NOT NULL COLLATE "C",
    payment_id text NOT NULL COLLATE "C",
    CONSTRAINT replacements_pkey PRIMARY KEY (merchant_id, replaced_id)
) PARTITION BY HASH (merchant_id);

CREATE TABLE replacements_0 PARTITION OF replacements FOR VALUES WITH (modulus 8, remainder 0);
CREATE TABLE replacements_1 PARTITION OF replacements FOR VALUES WITH (modulus 8, remainder 1);
CREATE TABLE replacements_2 PARTITION OF replacements FOR VALUES WITH (modulus 8, remainder 2);
CREATE TABLE replacements_3 PARTITION OF replacements FOR VALUES WITH (modulus 8, remainder 3);
CREATE TABLE replacements_4 PARTITION OF replacements FOR VALUES WITH (modulus 8, remainder 4);
CREATE TABLE replacements_5 PARTITION OF replacements FOR VALUES WITH (modulus 8, remainder 5);
CREATE TABLE replacements_6 PARTITION OF replacements FOR VALUES WITH (modulus 8, remainder 6);
CREATE TABLE replacements_7 PARTITION OF replacements FOR VALUES WITH (modulus 8, remainder 7);

CREATE TABLE retired_months (
    month text NOT NULL,
    archive text,
    rows json,
    detached_at timestamp with time zone DEFAULT now() NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT retired_months_month_check CHECK ((month ~ '^\d{4}_\d\d$'::text)),
    CONSTRAINT retired_months_pkey PRIMARY KEY (month)
);

CREATE TABLE review_verdicts (
    id text NOT NULL COLLATE "C",
    review_id text NOT NULL COLLATE "C",
    kind text NOT NULL,
    payment_id text NOT NULL COLLATE "C",
    refund_id text COLLATE "C",
    attempt_seq smallint,
    reason text NOT NULL,
    verdict text NOT NULL,
    decided_by text NOT NULL,
    note text,
    channel_said json,
    at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT review_verdicts_kind_check CHECK ((kind = ANY (ARRAY['payment'::text, 'refund'::text, 'late_capture'::text, 'callback'::text]))),
    CONSTRAINT review_verdicts_pkey PRIMARY KEY (id)
);

CREATE TABLE risk_artefacts (
    version integer NOT NULL,
    format text NOT NULL COLLATE "C",
    piece integer NOT NULL,
    data bytea NOT NULL,
    compiled_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT risk_artefacts_piece_check CHECK ((piece >= 0)),
    CONSTRAINT risk_artefacts_pkey PRIMARY KEY (version, format, piece)
); ALTER TABLE ONLY risk_artefacts ALTER COLUMN data SET STORAGE EXTERNAL;

CREATE TABLE risk_case_steps (
    case_id text NOT NULL COLLATE "C",
    merchant_id text NOT NULL COLLATE "C",
    seq integer NOT NULL,
    kind text NOT NULL,
    by text NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    detail json,
    note_sealed bytea,
    CONSTRAINT risk_case_steps_kind_check CHECK ((kind = ANY (ARRAY['claimed'::text, 'taken_over'::text, 'released'::text, 'noted'::text, 'complained'::text, 'decided'::text, 'reopened'::text]))),
    CONSTRAINT risk_case_steps_seq_check CHECK ((seq > 0)),
    CONSTRAINT risk_case_steps_pkey PRIMARY KEY (case_id, merchant_id, seq)
);

CREATE TABLE risk_case_terms (
    kind text NOT NULL,
    due_hours integer NOT NULL,
    claim_minutes integer NOT NULL,
    CONSTRAINT risk_case_terms_claim_minutes_check CHECK (((claim_minutes >= 1) AND (claim_minutes <= 1440))),
    CONSTRAINT risk_case_terms_due_hours_check CHECK (((due_hours >= 1) AND (due_hours <= 2160))),
    CONSTRAINT risk_case_terms_kind_check CHECK ((kind = ANY (ARRAY['review'::text, 'complaint'::text]))),
    CONSTRAINT risk_case_terms_pkey PRIMARY KEY (kind)
);

CREATE TABLE risk_cases (
    id text NOT NULL COLLATE "C",
    merchant_id text NOT NULL COLLATE "C",
    kind text NOT NULL,
    payment_id text NOT NULL COLLATE "C",
    amount bigint NOT NULL,
    score smallint,
    opened_at timestamp with time zone DEFAULT now() NOT NULL,
    due_at timestamp with time zone DEFAULT risk_case_due('review'::text) NOT NULL,
    version integer DEFAULT 0 NOT NULL,
    claimed_by text,
    claimed_until timestamp with time zone,
    reopened_at timestamp with time zone,
    verdict text,
    decided_by text,
    decided_at timestamp with time zone,
    CONSTRAINT risk_cases_amount_check CHECK ((amount > 0)),
    CONSTRAINT risk_cases_check CHECK (((claimed_by IS NULL) = (claimed_until IS NULL))),
    CONSTRAINT risk_cases_check1 CHECK (((verdict IS NULL) = (decided_at IS NULL))),
    CONSTRAINT risk_cases_check2 CHECK (((decided_by IS NULL) = (decided_at IS NULL))),
    CONSTRAINT risk_cases_kind_check CHECK ((kind = ANY (ARRAY['review'::text, 'complaint'::text]))),
    CONSTRAINT risk_cases_verdict_check CHECK ((verdict = ANY (ARRAY['good'::text, 'fraud'::text]))),
    CONSTRAINT risk_cases_pkey PRIMARY KEY (id, merchant_id)
);

CREATE TABLE risk_complaints (
    id text NOT NULL COLLATE "C",
    merchant_id text NOT NULL COLLATE "C",
    case_id text NOT NULL COLLATE "C",
    payment_id text NOT NULL COLLATE "C",
    reason text NOT NULL,
    channel text NOT NULL,
    channel_complaint_id text NOT NULL,
    fingerprint bytea NOT NULL,
    said_sealed bytea NOT NULL,
    by text NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    told_at timestamp with time zone,
    CONSTRAINT risk_complaints_pkey PRIMARY KEY (id, merchant_id)
);

CREATE TABLE risk_decisions (
    payment_id text NOT NULL COLLATE "C",
    merchant_id text NOT NULL COLLATE "C",
    version integer NOT NULL,
    verdict text NOT NULL,
    score smallint NOT NULL,
    hits text[],
    shadow text[],
    no_discount boolean NOT NULL,
    features text,
    missed text,
    beyond_tolerance boolean NOT NULL,
    at timestamp with time zone NOT NULL,
    CONSTRAINT risk_decisions_missed_check CHECK ((missed = ANY (ARRAY['deadline'::text, 'away'::text]))),
    CONSTRAINT risk_decisions_verdict_check CHECK ((verdict = ANY (ARRAY['approve'::text, 'review'::text, 'decline'::text]))),
    CONSTRAINT risk_decisions_pkey PRIMARY KEY (payment_id, merchant_id)
) PARTITION BY RANGE (payment_id);

CREATE TABLE risk_decisions_default PARTITION OF risk_decisions DEFAULT;

CREATE TABLE risk_labels (
    seq bigint NOT NULL,
    payment_id text NOT NULL COLLATE "C",
    merchant_id text NOT NULL COLLATE "C",
    fraud boolean NOT NULL,
    source text NOT NULL,
    note text,
    by text NOT NULL,
    known_at timestamp with time zone DEFAULT now() NOT NULL,
    recorded_at timestamp with time zone DEFAULT now() NOT NULL,
    told_at timestamp with time zone,
    CONSTRAINT risk_labels_source_check CHECK ((source = ANY (ARRAY['case'::text, 'chargeback'::text, 'issuer'::text, 'merchant'::text, 'police'::text, 'other'::text]))),
    CONSTRAINT risk_labels_pkey PRIMARY KEY (payment_id, merchant_id, seq)
);

ALTER TABLE risk_labels ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME risk_labels_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE risk_list_changes (
    id integer NOT NULL,
    list text NOT NULL COLLATE "C",
    person text,
    reason text NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT risk_list_changes_pkey PRIMARY KEY (id)
);

ALTER TABLE risk_list_changes ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME risk_list_changes_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE risk_list_editions (
    id integer NOT NULL,
    revision bigint DEFAULT 0 NOT NULL,
    entries bigint DEFAULT 0 NOT NULL,
    widths text[] DEFAULT '{}'::text[] NOT NULL,
    CONSTRAINT risk_list_editions_entries_check CHECK ((entries >= 0)),
    CONSTRAINT risk_list_editions_pkey PRIMARY KEY (id)
);

ALTER TABLE risk_list_editions ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME risk_list_editions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE risk_list_entries (
    hash bigint NOT NULL,
    expires_at timestamp with time zone,
    edition integer NOT NULL,
    change integer NOT NULL,
    field smallint NOT NULL,
    value bytea,
    reason text,
    CONSTRAINT risk_list_entries_pkey PRIMARY KEY (edition, field, hash)
);

CREATE TABLE risk_list_imports (
    id text NOT NULL COLLATE "C",
    list text NOT NULL COLLATE "C",
    mode text NOT NULL,
    status text NOT NULL,
    edition integer NOT NULL,
    change integer NOT NULL,
    source text,
    batches integer DEFAULT 0 NOT NULL,
    added bigint DEFAULT 0 NOT NULL,
    renewed bigint DEFAULT 0 NOT NULL,
    touched_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT risk_list_imports_mode_check CHECK ((mode = ANY (ARRAY['merge'::text, 'replace'::text]))),
    CONSTRAINT risk_list_imports_status_check CHECK ((status = ANY (ARRAY['open'::text, 'compiling'::text, 'done'::text, 'abandoned'::text]))),
    CONSTRAINT risk_list_imports_pkey PRIMARY KEY (id)
);

CREATE TABLE risk_list_parts (
    revision bigint NOT NULL,
    edition integer NOT NULL,
    entries integer NOT NULL,
    field smallint NOT NULL,
    part smallint NOT NULL,
    hashes bytea NOT NULL,
    expiries bytea,
    CONSTRAINT risk_list_parts_pkey PRIMARY KEY (edition, field, part)
); ALTER TABLE ONLY risk_list_parts ALTER COLUMN hashes SET STORAGE EXTERNAL; ALTER TABLE ONLY risk_list_parts ALTER COLUMN expiries SET STORAGE EXTERNAL;

CREATE TABLE risk_list_stale (
    edition integer NOT NULL,
    field smallint NOT NULL,
    part smallint NOT NULL,
    CONSTRAINT risk_list_stale_pkey PRIMARY KEY (edition, field, part)
);

CREATE TABLE risk_lists (
    name text NOT NULL COLLATE "C",
    description text NOT NULL,
    edition integer NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT risk_lists_name_check CHECK ((name ~ '^[a-z][a-z0-9_-]{0,39}$'::text)),
    CONSTRAINT risk_lists_edition_key UNIQUE (edition),
    CONSTRAINT risk_lists_pkey PRIMARY KEY (name)
);

CREATE TABLE risk_models (
    version integer NOT NULL,
    note text NOT NULL,
    document text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT risk_models_pkey PRIMARY KEY (version)
);

ALTER TABLE risk_models ALTER COLUMN version ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME risk_models_version_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE risk_payers (
    realm text NOT NULL COLLATE "C",
    payer bytea NOT NULL,
    customer bytea NOT NULL,
    CONSTRAINT risk_payers_pkey PRIMARY KEY (realm, payer, customer)
);

CREATE TABLE risk_profiles (
    customer bytea NOT NULL,
    payments integer NOT NULL,
    amount bigint NOT NULL,
    highest bigint[] NOT NULL,
    hours integer[] NOT NULL,
    regions text[] NOT NULL,
    region_counts integer[] NOT NULL,
    payers bytea[] NOT NULL,
    shared_payer boolean NOT NULL,
    CONSTRAINT risk_profiles_amount_check CHECK ((amount >= 0)),
    CONSTRAINT risk_profiles_check CHECK ((cardinality(region_counts) = cardinality(regions))),
    CONSTRAINT risk_profiles_hours_check CHECK ((cardinality(hours) = 24)),
    CONSTRAINT risk_profiles_payments_check CHECK ((payments >= 0)),
    CONSTRAINT risk_profiles_pkey PRIMARY KEY (customer)
) WITH (fillfactor='70');

CREATE TABLE risk_profiling (
    is_only boolean DEFAULT true NOT NULL,
    followed_until timestamp with time zone,
    CONSTRAINT risk_profiling_is_only_check CHECK (is_only),
    CONSTRAINT risk_profiling_pkey PRIMARY KEY (is_only)
);

CREATE TABLE risk_publications (
    seq bigint NOT NULL,
    version integer NOT NULL,
    published_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT risk_publications_pkey PRIMARY KEY (seq)
);

ALTER TABLE risk_publications ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME risk_publications_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE risk_rule_pieces (
    version integer NOT NULL,
    piece integer NOT NULL,
    rules json NOT NULL,
    CONSTRAINT risk_rule_pieces_piece_check CHECK ((piece >= 0)),
    CONSTRAINT risk_rule_pieces_pkey PRIMARY KEY (version, piece)
);

CREATE TABLE risk_rule_sets (
    version integer NOT NULL,
    head json NOT NULL,
    rule_count integer NOT NULL,
    test_count integer NOT NULL,
    failures json NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    lists text[],
    CONSTRAINT risk_rule_sets_rule_count_check CHECK ((rule_count >= 0)),
    CONSTRAINT risk_rule_sets_test_count_check CHECK ((test_count >= 0)),
    CONSTRAINT risk_rule_sets_pkey PRIMARY KEY (version)
);

ALTER TABLE risk_rule_sets ALTER COLUMN version ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME risk_rule_sets_version_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE routing_policies (
    version integer NOT NULL,
    document json NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT routing_policies_pkey PRIMARY KEY (version)
);

CREATE TABLE routing_publications (
    seq bigint NOT NULL,
    version integer NOT NULL,
    published_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT routing_publications_pkey PRIMARY KEY (seq)
);

ALTER TABLE routing_publications ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME routing_publications_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE schema_migrations (
    number integer NOT NULL,
    name text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL,
    contract integer,
    CONSTRAINT schema_migrations_pkey PRIMARY KEY (number)
);

CREATE TABLE segments (
    name text NOT NULL COLLATE "C",
    customers bigint DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    changed_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT segments_customers_check CHECK ((customers >= 0)),
    CONSTRAINT segments_pkey PRIMARY KEY (name)
) WITH (fillfactor='50');

CREATE TABLE stores (
    merchant_id text NOT NULL COLLATE "C",
    store_id text NOT NULL COLLATE "C",
    name text,
    region text,
    category text,
    latitude double precision,
    longitude double precision,
    CONSTRAINT stores_check CHECK (((latitude IS NULL) = (longitude IS NULL))),
    CONSTRAINT stores_latitude_check CHECK (((latitude >= ('-90'::integer)::double precision) AND (latitude <= (90)::double precision))),
    CONSTRAINT stores_longitude_check CHECK (((longitude >= ('-180'::integer)::double precision) AND (longitude <= (180)::double precision))),
    CONSTRAINT stores_pkey PRIMARY KEY (merchant_id, store_id)
);

CREATE TABLE transfers (
    payment_id text NOT NULL COLLATE "C",
    merchant_id text NOT NULL COLLATE "C",
    seq smallint NOT NULL,
    kind text NOT NULL,
    debit text NOT NULL COLLATE "C",
    credit text NOT NULL COLLATE "C",
    amount bigint NOT NULL,
    currency text NOT NULL,
    booked_at timestamp with time zone NOT NULL,
    CONSTRAINT transfers_amount_check CHECK ((amount > 0)),
    CONSTRAINT transfers_check CHECK ((credit <> debit)),
    CONSTRAINT transfers_pkey PRIMARY KEY (payment_id, merchant_id, seq)
) PARTITION BY RANGE (payment_id);

CREATE TABLE transfers_default PARTITION OF transfers DEFAULT;

CREATE TABLE webhook_attempts (
    event_id text NOT NULL COLLATE "C",
    merchant_id text NOT NULL COLLATE "C",
    endpoint_id text NOT NULL COLLATE "C",
    try integer NOT NULL,
    at timestamp with time zone NOT NULL,
    http_status smallint,
    error text,
    duration_ms integer NOT NULL,
    CONSTRAINT webhook_attempts_pkey PRIMARY KEY (event_id, merchant_id, endpoint_id, try)
) PARTITION BY RANGE (event_id);

CREATE TABLE webhook_attempts_default PARTITION OF webhook_attempts DEFAULT;

CREATE TABLE webhook_deliveries (
    event_id text NOT NULL COLLATE "C",
    merchant_id text NOT NULL COLLATE "C",
    endpoint_id text NOT NULL COLLATE "C",
    url text NOT NULL,
    body text NOT NULL,
    status text DEFAULT 'pending'::text NOT NULL,
    tries integer DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT webhook_deliveries_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'succeeded'::text, 'failed'::text, 'cancelled'::text]))),
    CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (event_id, merchant_id, endpoint_id)
) PARTITION BY RANGE (event_id);

CREATE TABLE webhook_deliveries_default PARTITION OF webhook_deliveries DEFAULT WITH (fillfactor='80');

CREATE TABLE webhook_endpoints (
    id text NOT NULL COLLATE "C",
    merchant_id text NOT NULL COLLATE "C",
    url text NOT NULL,
    description text,
    types text[],
    status text DEFAULT 'enabled'::text NOT NULL,
    disabled_reason text,
    secret_sealed bytea NOT NULL,
    previous_secret_sealed bytea,
    previous_until timestamp with time zone,
    failing_since timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT webhook_endpoints_status_check CHECK ((status = ANY (ARRAY['enabled'::text, 'disabled'::text, 'deleted'::text]))),
    CONSTRAINT webhook_endpoints_pkey PRIMARY KEY (id)
);

CREATE TABLE webhook_outbox (
    event_id text NOT NULL COLLATE "C",
    merchant_id text NOT NULL COLLATE "C",
    payment_id text NOT NULL COLLATE "C",
    seq integer NOT NULL,
    retry_at timestamp with time zone,
    CONSTRAINT webhook_outbox_pkey PRIMARY KEY (event_id)
) WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='20000', autovacuum_vacuum_cost_delay='0', autovacuum_analyze_threshold='20000');

CREATE TABLE webhook_queue (
    endpoint_id text NOT NULL COLLATE "C",
    event_id text NOT NULL COLLATE "C",
    merchant_id text NOT NULL COLLATE "C",
    again boolean DEFAULT false NOT NULL,
    tries integer DEFAULT 0 NOT NULL,
    next_at timestamp with time zone DEFAULT now() NOT NULL,
    lease_until timestamp with time zone,
    lease_token bigint DEFAULT 0 NOT NULL,
    CONSTRAINT webhook_queue_pkey PRIMARY KEY (endpoint_id, event_id)
) WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='20000', autovacuum_vacuum_cost_delay='0', autovacuum_analyze_threshold='20000');

CREATE INDEX api_keys_by_merchant ON api_keys (merchant_id, id);
CREATE INDEX audit_trail_by_action ON audit_trail (action, seq);
CREATE INDEX audit_trail_by_subject ON audit_trail (subject, seq);
CREATE INDEX callbacks_due ON callbacks (next_at) WHERE (applied_at IS NULL);
CREATE INDEX callbacks_for_review ON callbacks (payment_id) WHERE ((result = ANY (ARRAY['review'::text, 'orphan'::text])) AND (settled_at IS NULL));
CREATE INDEX callbacks_with_body ON callbacks (received_at) WHERE (body_sealed IS NOT NULL);
CREATE INDEX campaign_hours_by_hour ON campaign_hours USING brin (hour);
CREATE INDEX campaign_uses_by_day ON campaign_uses USING brin (day) WHERE (day > '2000-01-01'::date);
CREATE INDEX channel_accounts_by_merchant ON channel_accounts (merchant_id) WHERE (merchant_id IS NOT NULL);

CREATE UNIQUE INDEX codes_by_key ON codes (merchant_id, idempotency_key) WHERE (idempotency_key IS NOT NULL);

CREATE INDEX codes_by_merchant ON codes (merchant_id, id);
CREATE INDEX coupons_by_campaign ON coupons (campaign_id, id);
CREATE INDEX coupons_by_customer ON coupons (customer, campaign_id, id);

CREATE UNIQUE INDEX coupons_by_key ON coupons (customer, claim_key) WHERE (claim_key IS NOT NULL);

CREATE INDEX coupons_by_realm ON coupons (realm, id);

CREATE UNIQUE INDEX coupons_by_reward ON coupons (earned_by, reward_of, number) WHERE (earned_by IS NOT NULL);

CREATE INDEX coupons_free ON coupons (customer, expires_at, id) WHERE ((payment_id IS NULL) AND (voided_at IS NULL));
CREATE INDEX customers_by_segment ON customers USING gin (segments) WHERE (segments <> '{}'::text[]);
CREATE INDEX events_at ON events USING brin (at) WITH (autosummarize='on');
CREATE INDEX events_by_merchant ON events (merchant_id, id) WHERE (id IS NOT NULL);
CREATE INDEX late_captures_for_review ON late_captures (payment_id) WHERE (status = 'review'::text);
CREATE INDEX merchant_changes_by_age ON merchant_changes (at);
CREATE INDEX merchant_changes_by_number ON merchant_changes (number);
CREATE INDEX payments_by_merchant ON payments (merchant_id, id);
CREATE INDEX payments_for_review ON payments (id) WHERE (review IS NOT NULL);
CREATE INDEX recovery_tasks_due ON recovery_tasks (next_at);
CREATE INDEX redemptions_by_campaign ON redemptions (campaign_id, payment_id);
CREATE INDEX refunds_by_merchant ON refunds (merchant_id, id);
CREATE INDEX refunds_by_payment ON refunds (payment_id, seq);
CREATE INDEX refunds_pending ON refunds (created_at) WHERE (status = 'pending'::text);
CREATE INDEX refunds_for_review ON refunds (id) WHERE (review IS NOT NULL);
CREATE INDEX review_verdicts_by_payment ON review_verdicts (payment_id);
CREATE INDEX review_verdicts_by_review ON review_verdicts (review_id, at);
CREATE INDEX risk_cases_by_amount ON risk_cases (amount, id) WHERE (decided_at IS NULL);
CREATE INDEX risk_cases_by_due ON risk_cases (due_at, id) WHERE (decided_at IS NULL);
CREATE INDEX risk_cases_by_payment ON risk_cases (payment_id, id);
CREATE INDEX risk_cases_decided ON risk_cases (decided_at, id) WHERE (decided_at IS NOT NULL);

CREATE UNIQUE INDEX risk_cases_one_open ON risk_cases (payment_id, merchant_id) WHERE (decided_at IS NULL);
CREATE UNIQUE INDEX risk_complaints_by_number ON risk_complaints (merchant_id, channel, channel_complaint_id);

CREATE INDEX risk_complaints_by_payment ON risk_complaints (payment_id, id);
CREATE INDEX risk_complaints_untold ON risk_complaints (at) WHERE (told_at IS NULL);
CREATE INDEX risk_decisions_at ON risk_decisions USING brin (at) WITH (autosummarize='on');
CREATE INDEX risk_labels_by_seq ON risk_labels (seq);
CREATE INDEX risk_labels_untold ON risk_labels (seq) WHERE (fraud AND (told_at IS NULL));
CREATE INDEX risk_list_entries_expiring ON risk_list_entries (edition, expires_at) WHERE (expires_at IS NOT NULL);

CREATE UNIQUE INDEX risk_list_imports_open ON risk_list_imports (list) WHERE (status = ANY (ARRAY['open'::text, 'compiling'::text]));

CREATE INDEX risk_list_parts_by_revision ON risk_list_parts (edition, revision);
CREATE INDEX risk_publications_by_version ON risk_publications (version, seq);
CREATE INDEX webhook_endpoints_by_merchant ON webhook_endpoints (merchant_id, id);
CREATE INDEX webhook_queue_lines ON webhook_queue (endpoint_id, again, next_at);
CREATE TRIGGER api_keys_changed AFTER INSERT OR DELETE OR UPDATE ON api_keys FOR EACH STATEMENT EXECUTE FUNCTION raise_directory_revision();
CREATE TRIGGER api_keys_edited AFTER UPDATE ON api_keys REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_changed_merchants('merchant_id');
CREATE TRIGGER api_keys_made AFTER INSERT ON api_keys REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_changed_merchants('merchant_id');
CREATE TRIGGER api_keys_removed AFTER DELETE ON api_keys REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_changed_merchants('merchant_id');
CREATE TRIGGER audit_trail_stays BEFORE DELETE OR UPDATE OR TRUNCATE ON audit_trail FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER campaigns_changed AFTER INSERT OR DELETE OR UPDATE ON campaigns FOR EACH STATEMENT EXECUTE FUNCTION raise_directory_revision();
CREATE TRIGGER channel_accounts_changed AFTER INSERT OR DELETE OR UPDATE ON channel_accounts FOR EACH STATEMENT EXECUTE FUNCTION raise_directory_revision();
CREATE TRIGGER merchants_changed AFTER INSERT OR DELETE OR UPDATE ON merchants FOR EACH STATEMENT EXECUTE FUNCTION raise_directory_revision();
CREATE TRIGGER merchants_edited AFTER UPDATE ON merchants REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_changed_merchants('id');
CREATE TRIGGER merchants_made AFTER INSERT ON merchants REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_changed_merchants('id');
CREATE TRIGGER merchants_moved AFTER UPDATE OF customer_realm, category, region ON merchants FOR EACH STATEMENT EXECUTE FUNCTION raise_places_revision();
CREATE TRIGGER merchants_removed AFTER DELETE ON merchants REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_changed_merchants('id');
CREATE TRIGGER merchants_screened AFTER UPDATE OF risk_open_amount_max, risk_tier ON merchants FOR EACH STATEMENT EXECUTE FUNCTION raise_places_revision();
CREATE TRIGGER risk_case_steps_append_only BEFORE DELETE OR UPDATE ON risk_case_steps FOR EACH ROW EXECUTE FUNCTION refuse_change_of_risk_record();
CREATE TRIGGER risk_complaints_append_only BEFORE DELETE OR UPDATE OF id, merchant_id, case_id, payment_id, reason, channel, channel_complaint_id, fingerprint, said_sealed, by, at ON risk_complaints FOR EACH ROW EXECUTE FUNCTION refuse_change_of_risk_record();
CREATE TRIGGER risk_decisions_append_only BEFORE DELETE OR UPDATE ON risk_decisions FOR EACH ROW EXECUTE FUNCTION refuse_change_of_decision();
CREATE TRIGGER risk_labels_append_only BEFORE DELETE OR UPDATE OF seq, payment_id, merchant_id, fraud, source, note, by, known_at, recorded_at ON risk_labels FOR EACH ROW EXECUTE FUNCTION refuse_change_of_risk_record();
CREATE TRIGGER risk_lists_changed AFTER UPDATE OF revision ON risk_list_editions FOR EACH STATEMENT EXECUTE FUNCTION raise_directory_revision();
CREATE TRIGGER risk_lists_changed AFTER INSERT OR DELETE OR UPDATE ON risk_lists FOR EACH STATEMENT EXECUTE FUNCTION raise_directory_revision();
CREATE TRIGGER risk_models_append_only BEFORE DELETE OR UPDATE ON risk_models FOR EACH ROW EXECUTE FUNCTION refuse_change_of_model();
CREATE TRIGGER risk_publications_changed AFTER INSERT OR DELETE OR UPDATE ON risk_publications FOR EACH STATEMENT EXECUTE FUNCTION raise_directory_revision();
CREATE TRIGGER risk_rule_pieces_stay BEFORE DELETE OR UPDATE ON risk_rule_pieces FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_rule_set();
CREATE TRIGGER risk_rule_sets_stay BEFORE DELETE OR UPDATE ON risk_rule_sets FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_rule_set();
CREATE TRIGGER routing_publications_changed AFTER INSERT OR DELETE OR UPDATE ON routing_publications FOR EACH STATEMENT EXECUTE FUNCTION raise_directory_revision();
CREATE TRIGGER stores_changed AFTER INSERT OR DELETE OR UPDATE ON stores FOR EACH STATEMENT EXECUTE FUNCTION raise_places_revision();
CREATE TRIGGER stores_edited AFTER UPDATE ON stores REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_changed_merchants('merchant_id');
CREATE TRIGGER stores_made AFTER INSERT ON stores REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_changed_merchants('merchant_id');
CREATE TRIGGER stores_removed AFTER DELETE ON stores REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_changed_merchants('merchant_id');

ALTER TABLE api_keys ADD CONSTRAINT api_keys_merchant_id_fkey FOREIGN KEY (merchant_id) REFERENCES merchants(id);

ALTER TABLE campaign_grants ADD CONSTRAINT campaign_grants_campaign_id_fkey FOREIGN KEY (campaign_id) REFERENCES campaigns(id);

ALTER TABLE campaign_pace ADD CONSTRAINT campaign_pace_campaign_id_fkey FOREIGN KEY (campaign_id) REFERENCES campaigns(id);

ALTER TABLE campaign_top_ups ADD CONSTRAINT campaign_top_ups_campaign_id_fkey FOREIGN KEY (campaign_id) REFERENCES campaigns(id);

ALTER TABLE campaign_versions ADD CONSTRAINT campaign_versions_campaign_id_fkey FOREIGN KEY (campaign_id) REFERENCES campaigns(id);

ALTER TABLE channel_accounts ADD CONSTRAINT channel_accounts_merchant_id_fkey FOREIGN KEY (merchant_id) REFERENCES merchants(id);

ALTER TABLE codes ADD CONSTRAINT codes_merchant_id_fkey FOREIGN KEY (merchant_id) REFERENCES merchants(id);

ALTER TABLE risk_artefacts ADD CONSTRAINT risk_artefacts_version_fkey FOREIGN KEY (version) REFERENCES risk_rule_sets(version);

ALTER TABLE risk_list_imports ADD CONSTRAINT risk_list_imports_change_fkey FOREIGN KEY (change) REFERENCES risk_list_changes(id);

ALTER TABLE risk_list_parts ADD CONSTRAINT risk_list_parts_edition_fkey FOREIGN KEY (edition) REFERENCES risk_list_editions(id);

ALTER TABLE risk_list_stale ADD CONSTRAINT risk_list_stale_edition_fkey FOREIGN KEY (edition) REFERENCES risk_list_editions(id);

ALTER TABLE risk_lists ADD CONSTRAINT risk_lists_edition_fkey FOREIGN KEY (edition) REFERENCES risk_list_editions(id);

ALTER TABLE risk_publications ADD CONSTRAINT risk_publications_version_fkey FOREIGN KEY (version) REFERENCES risk_rule_sets(version);

ALTER TABLE risk_rule_pieces ADD CONSTRAINT risk_rule_pieces_version_fkey FOREIGN KEY (version) REFERENCES risk_rule_sets(version);

ALTER TABLE routing_publications ADD CONSTRAINT routing_publications_version_fkey FOREIGN KEY (version) REFERENCES routing_policies(version);

ALTER TABLE stores ADD CONSTRAINT stores_merchant_id_fkey FOREIGN KEY (merchant_id) REFERENCES merchants(id);

ALTER TABLE webhook_endpoints ADD CONSTRAINT webhook_endpoints_merchant_id_fkey FOREIGN KEY (merchant_id) REFERENCES merchants(id);
