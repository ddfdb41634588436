-- Which lists a version of the risk rules asks for, and how old what was compiled of it is.

-- Looked at again when the version is published or put in force again: a list can have been deleted meanwhile, and a
-- rule that asks for it would never hit.  Null is not known: versions saved before.
ALTER TABLE risk_rule_sets ADD COLUMN lists text[];

-- Artefacts of code that runs nowhere any more are swept after a while.
ALTER TABLE risk_artefacts ADD COLUMN compiled_at timestamptz NOT NULL DEFAULT now();
