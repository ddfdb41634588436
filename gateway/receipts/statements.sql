-- What a receipt is made of beside its payment and refunds (store.py).

-- name: merchant_of
SELECT merchant_id FROM payments WHERE id = $1

-- name: facts
-- When the money was taken (as the channel says, else when we booked it), and what the merchant wants to be shown.
SELECT
    m.name, m.timezone, m.receipt_discounts,
    (
        SELECT coalesce(a.paid_at, e.at)
        FROM events e
        LEFT JOIN attempts a ON a.payment_id = e.payment_id AND a.merchant_id = e.merchant_id AND a.seq = $3
        WHERE e.payment_id = $1 AND e.merchant_id = $2 AND e.type = 'payment.captured'
    ) AS paid_at
FROM merchants m WHERE m.id = $2
