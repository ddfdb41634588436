-- Changes of merchants are noted (0020).  Table by table, for each migration holds the locks of its own until it ends.

CREATE TRIGGER merchants_made AFTER INSERT ON merchants
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_changed_merchants('id');
CREATE TRIGGER merchants_edited AFTER UPDATE ON merchants
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_changed_merchants('id');
CREATE TRIGGER merchants_removed AFTER DELETE ON merchants
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_changed_merchants('id');
