-- What the worker tells of the audits of the books (audits.py).

-- name: newest
-- The newest audit, and when the newest one that agreed was; null where there was none.
SELECT
    newest.findings,
    newest.audited_at,
    (SELECT max(audited_at) FROM audit_runs WHERE agreed) AS agreed_at
FROM (VALUES (0)) AS always
LEFT JOIN (SELECT findings, audited_at FROM audit_runs ORDER BY id DESC LIMIT 1) newest ON true
