-- Changes of stores are noted as changes of their merchants (0020).

CREATE TRIGGER stores_made AFTER INSERT ON stores
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_changed_merchants('merchant_id');
CREATE TRIGGER stores_edited AFTER UPDATE ON stores
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_changed_merchants('merchant_id');
CREATE TRIGGER stores_removed AFTER DELETE ON stores
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_changed_merchants('merchant_id');
