-- Grants: how a campaign's budget comes into the slices of its days, and moves between them.

-- How much of the day's budget is granted just now, where a campaign's spend is paced (promotions/pacing).
CREATE TABLE campaign_grants (
    campaign_id text COLLATE "C" PRIMARY KEY REFERENCES campaigns (id),
    day date NOT NULL,
    share double precision NOT NULL CHECK (share BETWEEN 0 AND 1)
) WITH (fillfactor = 50);

-- What each of a day's slices is granted so that together they have `target`, or as near as what is used of them allows:
-- more goes to the first `into_slices` of them in equal parts, less is taken from those that have most left.
CREATE FUNCTION levelled(granted bigint[], used bigint[], target bigint, into_slices integer)
RETURNS bigint[] LANGUAGE plpgsql IMMUTABLE AS $$
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

-- Brings a campaign's grants to what its budget allows just now: leftovers of past days come back, and the present day is
-- granted as much of its budget as its pace lets it have (all, where it is not paced).  Slices that are missing are made.
-- Returns that day; null where nothing is granted.  The campaign's row is held, so that the sum of what is granted, over
-- all days, stays within the budget, and over a day within the day's, whoever else grants; what is used stays granted.
-- `of_share` is a new share of the day's budget for `of_day` (0 to 1); null: as it was.
CREATE FUNCTION grant_day(of_campaign text, of_day date, of_share double precision)
RETURNS date LANGUAGE plpgsql AS $$
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

-- What a day may have: that share of its own budget, and no more than is there for it; or of all that is there.  Null is
-- no limit.
CREATE FUNCTION paced(there bigint, per_day bigint, share double precision) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN coalesce(per_day, there) IS NOT NULL THEN
        greatest(least(floor(coalesce(per_day, there) * share)::bigint, there), 0)
    END
$$;
