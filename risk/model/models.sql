-- name: save
INSERT INTO risk_models (note, document) VALUES ($1, $2) RETURNING version

-- name: find
SELECT version, note, document, created_at FROM risk_models WHERE version = $1

-- name: versions
SELECT version FROM risk_models

-- name: list
SELECT
    version, note, created_at,
    document::jsonb -> 'features' AS features,
    document::jsonb -> 'trained' AS trained
FROM risk_models
WHERE $1::integer IS NULL OR version < $1
ORDER BY version DESC
LIMIT $2
