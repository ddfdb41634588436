-- Which payments were screened, and by which rule set.

-- Null where none was in force: then there is no decision in risk_decisions either.
ALTER TABLE payments ADD COLUMN risk_version integer;
