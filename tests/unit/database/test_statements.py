"""SQL is taken apart where its statements end, and nowhere else."""

from __future__ import annotations

import pytest

from gateway.database.migrate import migrations
from gateway.database.statements import split


def test_a_semicolon_within_quotes_dollars_and_comments_ends_nothing() -> None:
    sql = "SELECT ';', \"a;b\"; -- one; two\n/* three; */ DO $x$ BEGIN PERFORM 1; END $x$;\nSELECT 1"
    found = list(split(sql))
    assert [statement.bare for statement in found] == ["select '', a_b", "do ''", "select 1"]
    assert "PERFORM 1;" in found[1].bodies
    assert found[1].text.startswith("-- one; two")


def test_comments_alone_are_no_statement() -> None:
    assert list(split("-- nothing\n\n/* at all */")) == []


def test_a_note_is_a_comment_line_of_the_statement_it_stands_before() -> None:
    first, second = split("-- until none is left\nDELETE FROM a;\nDELETE FROM b")
    assert first.has_note("until none is left")
    assert not second.has_note("until none is left")


@pytest.mark.parametrize("sql", ["SELECT $a$ never; closed", "SELECT 'never; closed"])
def test_a_quote_that_is_never_closed_is_told(sql: str) -> None:
    with pytest.raises(ValueError, match="never closed"):
        list(split(sql))


def test_every_migration_comes_apart_into_what_begins_like_a_statement() -> None:
    words = {statement.bare.split()[0] for migration in migrations() for statement in split(migration.sql)}
    assert words <= {"create", "alter", "insert", "drop", "do", "set", "select", "update", "comment", "delete"}
    assert {"create", "alter"} <= words
