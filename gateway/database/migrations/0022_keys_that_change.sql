-- Changes of keys are noted as changes of their merchants (0020).

CREATE TRIGGER api_keys_made AFTER INSERT ON api_keys
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_changed_merchants('merchant_id');
CREATE TRIGGER api_keys_edited AFTER UPDATE ON api_keys
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_changed_merchants('merchant_id');
CREATE TRIGGER api_keys_removed AFTER DELETE ON api_keys
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_changed_merchants('merchant_id');
