-- What outcomes do to customers and rewards, for a whole batch in one statement each instead of two for every payment.

-- Counts the captures of customers, each as if it came alone, in the order of the arrays: everybody's first one in one
-- statement, sorted as every batch locks customers, then everybody's second one, until all `captures` are counted.
-- What was to be inserted tells the update by its only key which wallet, bank and merchant it is about.
CREATE FUNCTION count_captures(
    captures integer, statuses text[], of_customers bytea[], fens bigint[], wallets text[], bins bytea[], merchants text[]
) RETURNS void LANGUAGE plpgsql AS $$
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

-- Has the worker look whether payments have earned a coupon, or lost it again: those of which a redemption rewards.
-- With LIMIT each is looked up by its key, in its own month.
CREATE FUNCTION owe_rewards(of_payments text[], of_merchants text[]) RETURNS void LANGUAGE plpgsql AS $$
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

-- Customers first, then rewards, then what goes back to campaigns.  A batch in which a capture is taken back counts one
-- payment after the other.
CREATE OR REPLACE FUNCTION follow_outcomes(
    of_payments text[], of_merchants text[], statuses text[], statuses_before text[], of_customers bytea[], fens bigint[],
    wallets text[], card_bins bytea[], are_promoted boolean[]
) RETURNS integer LANGUAGE plpgsql AS $$
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

-- Both rows of a payment are rewritten once, a moment after they came: with room for it on the same page that touches
-- no index and writes a fraction to the log.  New months are made so (gateway/database/partitions.py).
DO $$
DECLARE
    partition regclass;
BEGIN
    FOR partition IN
        SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent IN ('payments'::regclass, 'attempts'::regclass)
    LOOP
        EXECUTE format('ALTER TABLE %s SET (fillfactor = 60)', partition);
    END LOOP;
END
$$;
