-- What the risk check knows of customers' habits beyond `customers`: kept up by the worker from the events.

-- Captured payments that were not reversed.  `highest` are the highest values of goods among them, the highest first;
-- `hours` how many fell in each hour of the day, in the merchant's time zone; `regions` where most of them were made,
-- with their numbers in `region_counts`; `payers` the keyed hashes of the wallets' ids of who paid, the latest last.
CREATE TABLE risk_profiles (
    customer bytea PRIMARY KEY,
    payments integer NOT NULL CHECK (payments >= 0),
    amount bigint NOT NULL CHECK (amount >= 0),
    highest bigint[] NOT NULL,
    hours integer[] NOT NULL CHECK (cardinality(hours) = 24),
    regions text[] NOT NULL,
    region_counts integer[] NOT NULL CHECK (cardinality(region_counts) = cardinality(regions)),
    payers bytea[] NOT NULL,
    shared_payer boolean NOT NULL
) WITH (fillfactor = 70);

-- Who has ever paid for which customer.  The same payer is another customer in each realm of customers' ids.
CREATE TABLE risk_payers (
    realm text COLLATE "C" NOT NULL,
    payer bytea NOT NULL,
    customer bytea NOT NULL,
    PRIMARY KEY (realm, payer, customer)
);

-- One row: up to when the events are counted in the profiles.  Its lock is the worker's turn.
CREATE TABLE risk_profiling (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    followed_until timestamptz
);
INSERT INTO risk_profiling DEFAULT VALUES;
