-- How many payments a merchant may begin a second, how many at once, and how many it may have in flight.

-- Each ALTER needs the table for itself, for a moment.  Whoever holds it longer than that makes this migration fail, and
-- it is simply run again; otherwise every payment would queue up behind it.
SET LOCAL lock_timeout = '2s';

-- Null: the installation's default holds.
ALTER TABLE merchants
    ADD COLUMN payments_per_s integer CHECK (payments_per_s > 0),
    ADD COLUMN payments_burst integer CHECK (payments_burst > 0),
    ADD COLUMN payments_in_flight_max integer CHECK (payments_in_flight_max > 0);
