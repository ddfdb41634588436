-- Models that give model.score: versions that never change.  A rule set names the one that it goes by.

CREATE TABLE risk_models (
    version integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    note text NOT NULL,
    document text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE FUNCTION refuse_change_of_model() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'models are never changed' USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER risk_models_append_only BEFORE UPDATE OR DELETE ON risk_models
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_model();
