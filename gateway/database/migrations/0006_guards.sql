-- The guards of budgets and limits: what an intent takes of its campaigns, and what outcomes and refunds put back.
-- Everybody who changes these rows locks the campaign first (only who grants), then slices by (campaign, day, slice),
-- then uses by (key, campaign, scope, day), then coupons by id.

-- Counters of days long past are forgotten (gateway/workers/housekeeping.py).
CREATE INDEX campaign_uses_by_day ON campaign_uses USING brin (day) WHERE day > '2000-01-01';

-- Who of a batch is refused, one after the other in their order.  Each draw takes one, and so many fen, from a meter
-- that has room for so much (null: for any); a payment has all of its draws or none, and then leaves its meters alone.
CREATE FUNCTION refuse_draws(
    payment_ids text[], campaign_ids text[], refusals text[], meters integer[], fens bigint[], rooms_fen bigint[],
    rooms_count bigint[]
) RETURNS TABLE (refused_payment text, refusing_campaign text, refusal text, left_fen bigint, left_count bigint)
LANGUAGE plpgsql AS $$
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

-- Puts back what payments took of counters: the arrays hold one use each, `times` how often it counted.
CREATE FUNCTION uncount_uses(
    use_campaigns text[], use_scopes text[], use_keys text[], use_days date[], use_fens bigint[]
) RETURNS void LANGUAGE plpgsql AS $$
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

-- Why each redemption cannot be had whatever is left (null: it can): by its campaign, its day, its slice, its coupon.
-- Called under the locks: nothing is taken of a campaign that was paused, edited or ended while an intent waited.
CREATE FUNCTION redemption_verdicts(
    campaign_ids text[], versions integer[], days date[], slices smallint[], coupon_ids text[], customers bytea[]
) RETURNS text[] LANGUAGE plpgsql AS $$
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

-- Who of a batch is refused, where not everything fits: each redemption draws from its coupon, its slice and its counters
-- (which this batch has raised already); one with a verdict draws from something that has no room.
CREATE FUNCTION refused_redemptions(
    left_out text[], payment_ids text[], campaign_ids text[], days date[], slices smallint[], discounts bigint[],
    fees_off bigint[], coupon_ids text[], verdicts text[],
    use_payments text[], use_campaigns text[], use_scopes text[], use_keys text[], use_days date[], use_fens bigint[],
    use_counts_max integer[], use_fens_max bigint[]
) RETURNS TABLE (refused_payment text, refusing_campaign text, refusal text, left_fen bigint, left_count bigint)
LANGUAGE plpgsql AS $$
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

-- What the payments of a batch take of their campaigns, guarded by the present rows whatever anybody believed before.
-- Returns who is refused, and what was left; a refused payment writes nothing, and loses its order number again.  The
-- others are admitted exactly as if the payments came one at a time in their order.
-- `written` are the payments whose order number this very statement has written: no other one takes anything.  The
-- arrays hold one redemption each, in the order of the payments, and the last eight one counter each.
-- The counters of customers are raised before it is known whether everything fits, for nearly always it does.
CREATE FUNCTION take_redemptions(
    written text[],
    payment_ids text[], merchant_ids text[], order_nos text[], customers bytea[], seqs smallint[],
    campaign_ids text[], versions integer[], names text[], days date[], slices smallint[],
    discounts bigint[], fees_off bigint[], fundings text[], uses text[], coupon_ids text[],
    rewards boolean[], budget_returns boolean[], limit_returns boolean[], new_customers boolean[],
    use_payments text[], use_campaigns text[], use_scopes text[], use_keys text[], use_days date[], use_fens bigint[],
    use_counts_max integer[], use_fens_max bigint[]
) RETURNS TABLE (refused_payment text, refusing_campaign text, refusal text, left_fen bigint, left_count bigint)
ROWS 1 LANGUAGE plpgsql AS $$
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

-- The redemptions of payments, each looked up by its key in its own month: a join would be free to read whole months.
CREATE FUNCTION redemptions_of(of_payments text[])
RETURNS TABLE (
    payment_id text, seq smallint, campaign_id text, campaign_version integer, day date, slice smallint, fen bigint,
    uses json, coupon_id text, returns_budget boolean, returns_limits boolean
) ROWS 1 LANGUAGE plpgsql AS $$
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

-- Puts parts of these redemptions back into their slices and, where `whole` says so, all of them into their counters; and
-- says what went back to which slice.  The arrays hold one redemption each, and were read before anything is locked:
-- PostgreSQL 18.6 loses rows, or crashes, where it leaves partitions out and then looks again at a row that it waited for
-- (sql/outcome.sql).
CREATE FUNCTION put_back(
    payment_ids text[], campaign_ids text[], days date[], slices smallint[], fens bigint[], wholes boolean[],
    taken bigint[], uses text[]
) RETURNS TABLE (payment_id text, campaign_id text, day date, slice smallint, fen bigint, count integer)
LANGUAGE plpgsql AS $$
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

-- Whether a payment's coupon goes back after a refund or a cancellation (`rule`): the version of its campaign that gave the
-- discount says.  That of a payment which never was captured does.
CREATE FUNCTION coupon_returns(of_payment text, of_campaign text, of_version integer, rule text)
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    RETURN coalesce((
        SELECT (v.document -> 'coupon' ->> rule)::boolean
        FROM campaign_versions v WHERE v.campaign_id = of_campaign AND v.version = of_version
    ), true) OR NOT EXISTS (SELECT FROM transfers t WHERE t.payment_id = of_payment);
END
$$;

-- Makes coupons free again that these payments have redeemed.
CREATE FUNCTION free_coupons(ids text[], of_payments text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF ids <> '{}' THEN
        PERFORM FROM coupons k WHERE k.id = ANY (ids) ORDER BY k.id FOR NO KEY UPDATE;
        UPDATE coupons k SET payment_id = NULL WHERE k.id = ANY (ids) AND k.payment_id = ANY (of_payments);
    END IF;
END
$$;

-- Puts back all that payments took which come to nothing: exactly once, by the caller's guarded transition.  A coupon goes
-- back too, unless its campaign keeps those of payments that were captured before they were cancelled.
CREATE FUNCTION give_back_redemptions(of_payments text[])
RETURNS TABLE (payment_id text, campaign_id text, day date, slice smallint, fen bigint, count integer)
LANGUAGE plpgsql AS $$
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

-- What a refund that has succeeded returns of its payment's redemptions: `fens` are their parts of the discount (and of
-- the fee) that went back to the funders, `is_full` says that nothing of the payment is left.  Exactly once, by the
-- caller's guarded transition.  Each redemption's own rules say whether the budget and the limits get anything.
CREATE FUNCTION return_redemptions(of_payment text, of_seqs smallint[], fens bigint[], is_full boolean)
RETURNS TABLE (payment_id text, campaign_id text, day date, slice smallint, fen bigint, count integer)
LANGUAGE plpgsql AS $$
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

-- What the ends of some payments do to their customers and campaigns (sql/outcome.sql); they come in the order of their
-- customers.  Customers are locked before slices, everywhere, so that two batches wait for each other in one order only.
CREATE FUNCTION follow_outcomes(
    of_payments text[], of_merchants text[], statuses text[], statuses_before text[], of_customers bytea[], fens bigint[],
    wallets text[], card_bins bytea[], are_promoted boolean[]
) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    come_to_nothing text[] := '{}';
    given_back integer := 0;
BEGIN
    FOR i IN 1 .. cardinality(of_payments) LOOP
        IF statuses[i] = 'succeeded' OR statuses_before[i] = 'succeeded' THEN
            IF of_customers[i] IS NOT NULL THEN
                PERFORM count_order(
                    of_customers[i], fens[i], wallets[i], card_bins[i], of_merchants[i],
                    CASE statuses[i] WHEN 'succeeded' THEN 1 ELSE -1 END
                );
            END IF;
            IF are_promoted[i] THEN
                PERFORM owe_reward(of_payments[i], of_merchants[i]);
            END IF;
        END IF;
        IF are_promoted[i] AND statuses[i] IN ('failed', 'closed', 'reversed') THEN
            come_to_nothing := come_to_nothing || of_payments[i];
        END IF;
    END LOOP;
    IF come_to_nothing <> '{}' THEN
        SELECT count(*) INTO given_back FROM give_back_redemptions(come_to_nothing);
    END IF;
    RETURN given_back;
END
$$;
