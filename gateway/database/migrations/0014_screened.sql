-- Which payments were screened, and by which rule set.

-- Null where none was in force: then there is no decision in risk_decisions either.
ALTER TABLE payments ADD COLUMN risk_version integer;

-- For ids of no month that was made ahead, as every table divided by month has one.
CREATE TABLE risk_decisions_default PARTITION OF risk_decisions DEFAULT;
