"""From 0020 on no migration stops payments or the code of before, and each rule finds what it is there for."""

from __future__ import annotations

import pytest

from gateway.database.migrate import Migration, migrations
from gateway.database.rules import FIRST, breaches

OUTSIDE = "-- outside transaction\n"


def reasons(*sqls: str) -> list[str]:
    """What is wrong with these migrations."""
    made = [Migration(FIRST + place, f"{FIRST + place:04d}_x.sql", sql) for place, sql in enumerate(sqls)]
    return [breach.reason for breach in breaches(made)]


def test_no_migration_since_the_rules_breaks_one() -> None:
    found = breaches(migrations())
    assert not found, "\n".join(map(str, found))


def test_the_rules_would_have_found_what_was_released_before_them() -> None:
    found = {breach.migration for breach in breaches(migrations(), first=2)}
    assert {"0017_quotas.sql", "0019_lean_hot_path.sql"} <= found


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("CREATE INDEX i ON payments (id)", "keeps everybody who writes waiting"),
        ("CREATE UNIQUE INDEX IF NOT EXISTS i ON payments (id)", "keeps everybody who writes waiting"),
        ("CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON payments (id)", "needs a line `-- outside transaction`"),
        (OUTSIDE + "CREATE INDEX CONCURRENTLY i ON payments (id)", "say IF NOT EXISTS"),
        ("ALTER TABLE payments ADD COLUMN a text DEFAULT gen_random_uuid()::text", "no constant"),
        ("ALTER TABLE payments ADD a timestamptz DEFAULT clock_timestamp()", "no constant"),
        ("ALTER TABLE payments ADD COLUMN a integer NOT NULL", "inserts without it"),
        ("ALTER TABLE payments ADD COLUMN a bigserial", "rewrites the table"),
        ("ALTER TABLE payments ADD COLUMN a int GENERATED ALWAYS AS (amount * 2) STORED", "rewrites the table"),
        ("ALTER TABLE payments ADD COLUMN a integer CHECK (a > 0)", "checked under the table's lock"),
        ("ALTER TABLE payments ADD COLUMN a text REFERENCES merchants (id)", "checked under the table's lock"),
        ("ALTER TABLE payments ADD COLUMN a int, ADD COLUMN b int UNIQUE", "checked under the table's lock"),
        ("ALTER TABLE payments ALTER COLUMN amount SET NOT NULL", "reads the whole table"),
        ("ALTER TABLE payments ALTER amount TYPE numeric", "change of type rewrites"),
        ("ALTER TABLE payments ALTER COLUMN amount SET DATA TYPE numeric", "change of type rewrites"),
        ("ALTER TABLE payments ADD CONSTRAINT c CHECK (amount > 0)", "NOT VALID"),
        ("ALTER TABLE payments ADD CHECK (amount > 0)", "NOT VALID"),
        ("ALTER TABLE payments ADD CONSTRAINT f FOREIGN KEY (m) REFERENCES merchants (id)", "NOT VALID"),
        ("ALTER TABLE payments ADD CONSTRAINT u UNIQUE (amount)", "builds an index"),
        ("ALTER TABLE payments ADD PRIMARY KEY (amount)", "builds an index"),
        ("ALTER TABLE payments DROP COLUMN amount", "since when none does"),
        ("ALTER TABLE payments DROP amount", "since when none does"),
        ("ALTER TABLE payments RENAME COLUMN amount TO fen", "since when none does"),
        ("ALTER TABLE payments RENAME TO sales", "since when none does"),
        ("ALTER TABLE payments ALTER COLUMN amount DROP DEFAULT", "since when none does"),
        ("DROP TABLE payments", "since when none does"),
        ("DROP FUNCTION follow_outcomes", "since when none does"),
        ("DROP INDEX payments_by_day", "since when none does"),
        ("UPDATE payments SET amount = 1", "some at a time"),
        ("DELETE FROM payments WHERE id = '1'", "some at a time"),
        ("TRUNCATE payments", "takes the table for itself"),
        ("LOCK TABLE payments", "holds nothing"),
        ("VACUUM FULL payments", "rewrites the table"),
        ("REINDEX TABLE payments", "REINDEX"),
        ("COMMIT", "opens and ends transactions"),
        ("SET lock_timeout = '1h'", "SET LOCAL"),
        ("ALTER TABLE payments ATTACH PARTITION p FOR VALUES IN (1)", "reads the partition"),
        ("DO $$ BEGIN EXECUTE 'ALTER TABLE payments SET LOGGED'; END $$", "cannot be checked"),
        (OUTSIDE + "INSERT INTO payments VALUES (1)", "can be repeated"),
        ("ALTER TABLE payments ADD a int; ALTER TABLE refunds ADD a int", "locked in one transaction"),
        ("ALTER TABLE payments ADD a int; CREATE TRIGGER t BEFORE UPDATE ON refunds FOR EACH ROW f()", "locked in one"),
        (
            "ALTER TABLE a ADD CONSTRAINT c CHECK (b > 0) NOT VALID; ALTER TABLE a VALIDATE CONSTRAINT c",
            "in another migration than it was added",
        ),
        ("alter table ONLY public.payments drop column amount", "since when none does"),
        ('ALTER /* x */ TABLE "payments" -- y\n DROP /* z */ COLUMN "amount"', "since when none does"),
        ('ALTER TABLE "odd table" DROP COLUMN a', "since when none does"),
        ("SELECT E'\\'' ; DROP TABLE payments; --'", "since when none does"),
        ("ALTER TABLE payments SET SCHEMA archive", "since when none does"),
        ("ALTER TABLE payments DROP CONSTRAINT payments_pkey", "since when none does"),
        ("DROP DOMAIN d", "since when none does"),
        ("REVOKE SELECT ON payments FROM reader", "since when none does"),
        ("ALTER TABLE payments ADD COLUMN a int DEFAULT 1 + random()", "no constant"),
        ("ALTER TABLE payments ADD COLUMN a text DEFAULT '' || gen_random_uuid()", "no constant"),
        ("ALTER TABLE payments ADD COLUMN a serial8", "rewrites the table"),
        ("ALTER TABLE payments ALTER a SET EXPRESSION AS (b * 2)", "rewrites the table"),
        ("ALTER TABLE payments ADD COLUMN a int NOT NULL DEFAULT NULL", "inserts without it"),
        ("ALTER TABLE payments ADD CONSTRAINT c NOT NULL amount", "NOT VALID"),
        ("WITH x AS (DELETE FROM payments RETURNING *) INSERT INTO old SELECT * FROM x", "some at a time"),
        ("MERGE INTO payments USING x ON x.id = payments.id WHEN MATCHED THEN DELETE", "some at a time"),
        (OUTSIDE + "UPDATE payments SET a = 1", "and LIMIT"),
        (OUTSIDE + "-- until none is left\nUPDATE payments SET a = 1 WHERE a IS NULL", "and LIMIT"),
        (OUTSIDE + "ALTER TABLE payments ADD COLUMN IF NOT EXISTS a int, ADD COLUMN b int", "can be repeated"),
        (OUTSIDE + 'CREATE INDEX CONCURRENTLY IF NOT EXISTS "i" ON payments (a)', "without quotes"),
        (OUTSIDE + "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON public.payments (a)", "without quotes or schema"),
        ("DO 'BEGIN EXECUTE ''ALTER TABLE payments SET LOGGED''; END'", "cannot be checked"),
        ("DO $$ BEGIN PERFORM rewrite_all(); END $$", "cannot be checked"),
        ("CALL rewrite_all()", "cannot be checked"),
        ("END", "opens and ends transactions"),
        ("RESET lock_timeout", "SET LOCAL"),
        ("SET LOCAL lock_timeout = 0", "the runner's"),
        ("SELECT set_config('lock_timeout', '0', false)", "the runner's"),
        ("CREATE TABLE p PARTITION OF payments FOR VALUES IN (1)", "partitions.py"),
        (
            "CREATE TABLE a (b text REFERENCES payments (id), c text REFERENCES refunds (id))",
            "locked in one transaction",
        ),
        ("ALTER TABLE payments ADD a int; INSERT INTO b SELECT id FROM payments", "is locked while it reads"),
        (
            "-- contract: 0021\nDROP TRIGGER a ON b;\n-- contract: 0021\nDROP TRIGGER a ON c",
            "locked in one transaction",
        ),
    ],
)
def test_what_stops_payments_or_the_code_of_before_is_found(sql: str, reason: str) -> None:
    assert any(reason in found for found in reasons(sql)), reasons(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE a (b int NOT NULL CHECK (b > 0)); CREATE INDEX ON a (b); ALTER TABLE a ADD c int UNIQUE",
        OUTSIDE + "CREATE INDEX CONCURRENTLY IF NOT EXISTS payments_by_x ON payments (merchant_id, amount)",
        OUTSIDE + "DROP INDEX CONCURRENTLY IF EXISTS payments_by_x",
        "ALTER TABLE payments ADD COLUMN a integer",
        "ALTER TABLE payments ADD COLUMN a integer NOT NULL DEFAULT 0, ADD COLUMN b timestamptz DEFAULT now()",
        "ALTER TABLE payments ADD COLUMN a jsonb NOT NULL DEFAULT '{}'::jsonb",
        "ALTER TABLE payments ADD CONSTRAINT c CHECK (amount IN (1, 2)) NOT VALID",
        "ALTER TABLE payments ADD CONSTRAINT u UNIQUE USING INDEX payments_by_x",
        "ALTER TABLE payments ALTER COLUMN amount DROP NOT NULL",
        "ALTER TABLE payments DROP CONSTRAINT c",
        "-- contract: 0021\nALTER TABLE payments DROP COLUMN amount",
        "-- contract: 0021\nDROP TABLE payments",
        OUTSIDE + "-- until none is left\nUPDATE payments SET a = 1 WHERE id IN (SELECT id FROM payments LIMIT 1000)",
        "CREATE OR REPLACE FUNCTION f() RETURNS void LANGUAGE sql AS $$ UPDATE payments SET amount = 1 $$",
        "SET LOCAL work_mem = '64MB'; INSERT INTO payments VALUES ('drop table;')",
        "ALTER TABLE payments ADD CONSTRAINT c CHECK (least(a, abs(b)) > 0) NOT VALID",
        "CREATE TABLE public.a (b int); CREATE INDEX ON a (b); CREATE TABLE c (d text REFERENCES payments (id))",
        "ALTER TABLE payments ADD COLUMN a timestamp with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP",
        "ALTER TABLE payments ADD COLUMN a text COLLATE \"C\" DEFAULT ('x') NOT NULL, ADD b int[] DEFAULT '{}'::int[]",
        OUTSIDE + "REINDEX INDEX CONCURRENTLY payments_by_x; ANALYZE payments",
    ],
)
def test_what_only_adds_or_says_since_when_it_is_not_used_passes(sql: str) -> None:
    assert reasons(sql) == []


def test_a_table_that_is_there_does_not_become_new_by_being_made_if_it_is_not() -> None:
    again = "CREATE TABLE IF NOT EXISTS payments (id text); CREATE INDEX i ON payments (id)"
    assert reasons(again) == []
    assert len(reasons("CREATE TABLE payments (id text)", again)) == 1


def test_not_null_is_set_once_a_check_of_it_was_validated_earlier() -> None:
    added = "ALTER TABLE payments ADD CONSTRAINT c CHECK (amount IS NOT NULL) NOT VALID"
    validated = f"{OUTSIDE}ALTER TABLE payments VALIDATE CONSTRAINT c"
    is_set = "ALTER TABLE payments ALTER COLUMN amount SET NOT NULL"
    assert reasons(added, validated, is_set) == []
    assert len(reasons(added, is_set)) == 1
    assert len(reasons(added, validated, "ALTER TABLE payments ALTER COLUMN other SET NOT NULL")) == 1


def test_a_migration_says_up_to_which_number_code_must_know_them() -> None:
    one = Migration(30, "0030_x.sql", "-- contract: 0021\nDROP TABLE a;\n-- contract: 0024\nDROP TABLE b")
    assert one.contract == 24
    assert Migration(31, "0031_x.sql", "CREATE TABLE a (b int)").contract is None
