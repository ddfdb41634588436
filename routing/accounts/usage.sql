-- What accounts have taken in, by day of their own time zone (usage.py).

-- name: add_and_read
-- Adds what this process has seen captured, and reads the sums of the day and the month of accounts with limits as they
-- were before.  Rows are written in the order of their keys: batches of several processes that meet on the same rows
-- then wait for each other instead of dying of a deadlock.
WITH added AS (
    INSERT INTO account_days AS days (account_id, day, captured_fen, captured_count)
    SELECT * FROM unnest($1::text[], $2::date[], $3::bigint[], $4::bigint[]) AS row (account_id, day, fen, count)
    ORDER BY account_id, day
    ON CONFLICT (account_id, day) DO UPDATE SET
        captured_fen = days.captured_fen + excluded.captured_fen,
        captured_count = days.captured_count + excluded.captured_count
)
SELECT
    limited.account_id,
    coalesce(sum(days.captured_fen) FILTER (WHERE days.day = limited.today), 0)::bigint AS day_fen,
    coalesce(sum(days.captured_fen), 0)::bigint AS month_fen
FROM unnest($5::text[], $6::date[]) AS limited (account_id, today)
LEFT JOIN account_days AS days
    ON days.account_id = limited.account_id
    AND days.day BETWEEN date_trunc('month', limited.today)::date AND limited.today
GROUP BY limited.account_id
