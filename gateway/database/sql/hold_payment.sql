-- Waits for whoever is changing a payment, and keeps it until the transaction ends.
SELECT FROM payments WHERE id = $1 AND merchant_id = $2 FOR UPDATE
