-- What the doctor reads of PostgreSQL (gathering/postgresql.py, work.py, keys.py); nothing is written.

-- name: server
SELECT
    current_setting('server_version_num')::integer / 10000 AS version,
    pg_is_in_recovery() AS is_standby,
    (SELECT age(datfrozenxid) FROM pg_database WHERE datname = current_database()) AS xid_age,
    pg_database_size(current_database()) AS bytes,
    (SELECT sum(numbackends)::integer FROM pg_stat_database) AS connections,
    coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS uses_tls,
    inet_server_addr() IS NOT NULL AND host(inet_server_addr()) NOT IN ('127.0.0.1', '::1') AS is_remote,
    (SELECT coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false) FROM pg_stat_archiver)
        AS archive_failing

-- name: settings
SELECT name, setting FROM pg_settings WHERE name = ANY ($1)

-- name: standbys
SELECT coalesce(application_name, '?') AS name, sync_state, extract(epoch FROM replay_lag)::float8 AS lag_s
FROM pg_stat_replication ORDER BY 1

-- name: transactions
SELECT
    coalesce(max(extract(epoch FROM now() - state_change)) FILTER (WHERE state LIKE 'idle in transaction%'), 0)::float8
        AS idle_s,
    coalesce(max(extract(epoch FROM now() - xact_start)), 0)::float8 AS oldest_s,
    count(*) FILTER (WHERE query = '<insufficient privilege>') AS hidden
FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()

-- name: clock
SELECT clock_timestamp() AS now

-- name: missing
SELECT name FROM unnest($1::text[]) AS wanted (name) WHERE to_regclass(name) IS NULL ORDER BY 1

-- name: sealed_endpoints
SELECT id, secret_sealed FROM webhook_endpoints WHERE status <> 'deleted' ORDER BY created_at DESC LIMIT 20

-- name: endpoints
SELECT url FROM webhook_endpoints WHERE status = 'enabled' ORDER BY created_at DESC LIMIT 200

-- name: work
SELECT
    (SELECT extract(epoch FROM now() - beaten_at)::float8 FROM pool_state WHERE generation > 0) AS beat_age_s,
    count(*) FILTER (WHERE is_overdue) AS overdue_tasks,
    coalesce(max(extract(epoch FROM now() - next_at)) FILTER (WHERE is_overdue), 0)::float8 AS overdue_s,
    count(*) FILTER (WHERE is_unresolved) AS unresolved,
    coalesce(max(extract(epoch FROM now() - coalesce(late_from, created_at))) FILTER (WHERE is_unresolved), 0)::float8
        AS unresolved_s,
    (SELECT count(*) FROM payments WHERE review IS NOT NULL)
        + (SELECT count(*) FROM late_captures WHERE status = 'review')
        + (SELECT count(*) FROM refunds WHERE review IS NOT NULL) AS reviews,
    (SELECT count(*) FROM late_captures WHERE status = 'pending') AS late_captures,
    (SELECT count(*) FROM (SELECT FROM webhook_outbox LIMIT 100000) waiting) AS untold_events,
    (SELECT min(event_id) FROM webhook_outbox) AS untold_first,
    (SELECT count(*) FROM webhook_endpoints WHERE status = 'enabled') AS endpoints,
    (SELECT count(*) FROM webhook_endpoints WHERE status = 'enabled' AND failing_since IS NOT NULL) AS failing_endpoints
FROM (
    SELECT
        next_at, created_at, late_from,
        next_at <= now() AND (lease_until IS NULL OR lease_until < now()) AS is_overdue,
        purpose = 'resolve' AND coalesce(late_from, created_at) <= now() AS is_unresolved
    FROM recovery_tasks
) tasks

-- name: balance
-- A capture's own postings and its funders' make up the payment's amount (gateway/ledger/postings.py).
SELECT
    count(*) AS looked_at,
    count(*) FILTER (
        WHERE amount <> (
            SELECT coalesce(sum(t.amount), 0) FROM transfers t
            WHERE t.payment_id = newest.id AND t.merchant_id = newest.merchant_id AND t.kind IN ('capture', 'discount')
        )
    ) AS out_of_balance
FROM (
    SELECT id, merchant_id, amount FROM payments WHERE status = 'succeeded' ORDER BY id DESC LIMIT 500
) newest
