-- What accounts have taken in, by day of their own time zone (usage.py).

-- name: add_and_read
-- Adds what this process has seen captured, and reads the sums of the day and the month of the accounts with limits,
-- with what all processes have added.  Rows are written in the order of their keys: batches of several processes that
-- meet on the same rows then wait for each other instead of dying of a deadlock.
WITH added AS (
    INSERT INTO account_days AS days (account_id, day, captured_fen, captured_count)
    SELECT * FROM unnest($1::text[], $2::date[], $3::bigint[], $4::bigint[]) AS row (account_id, day, fen, count)
    ORDER BY account_id, day
    ON CONFLICT (account_id, day) DO UPDATE SET
        captured_fen = days.captured_fen + excluded.captured_fen,
        captured_count = days.captured_count + excluded.captured_count
    RETURNING account_id, day, captured_fen
), limited AS (
    SELECT * FROM unnest($5::text[], $6::date[]) AS row (account_id, today)
)
SELECT
    limited.account_id,
    coalesce(sum(known.fen) FILTER (WHERE known.day = limited.today), 0)::bigint AS day_fen,
    coalesce(sum(known.fen), 0)::bigint AS month_fen
FROM limited LEFT JOIN LATERAL (
    SELECT added.day, added.captured_fen AS fen FROM added
    WHERE added.account_id = limited.account_id
        AND added.day BETWEEN date_trunc('month', limited.today)::date AND limited.today
    UNION ALL
    -- This statement does not see its own rows: those that it has just written come from `added`.
    SELECT days.day, days.captured_fen FROM account_days AS days
    WHERE days.account_id = limited.account_id
        AND days.day BETWEEN date_trunc('month', limited.today)::date AND limited.today
        AND NOT EXISTS (SELECT FROM added WHERE added.account_id = days.account_id AND added.day = days.day)
) AS known ON true
GROUP BY limited.account_id
