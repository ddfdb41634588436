-- What became of campaigns (counting.py, report.py).

-- name: add_counts
INSERT INTO campaign_hours AS h (campaign_id, hour, what, count)
SELECT campaign_id, date_trunc('hour', now()), what, count
FROM unnest($1::text[], $2::text[], $3::bigint[]) AS counted (campaign_id, what, count)
ON CONFLICT (campaign_id, hour, what) DO UPDATE SET count = h.count + excluded.count
