"""A statement without the parts that a batch has no rows for."""

from __future__ import annotations

import re

import pytest

from gateway.database.parts import without
from gateway.database.pool import sql


def test_a_part_is_left_out_wherever_it_stands() -> None:
    statement = "WITH a\n-- part: keys\n, b\n-- end: keys\n, c\n-- part: keys\n, d\n-- end: keys\nSELECT\n"
    assert without(statement, "keys") == "WITH a\n, c\nSELECT\n"


def test_other_parts_stay() -> None:
    statement = "a\n-- part: keys\nb\n-- end: keys\n-- part: told\nc\n-- end: told\n"
    assert without(statement, "told") == "a\n-- part: keys\nb\n-- end: keys\n"


def test_a_part_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ValueError, match="no part keyes"):
        without(sql("intent"), "keyes")


def test_intents_without_keys_ask_nothing_of_the_tables_of_keys() -> None:
    keyless = without(sql("intent"), "keys")
    assert not re.search(r"(FROM|INTO) (idempotency_keys|replacements)", keyless)
    assert re.search(r"(FROM|INTO) (idempotency_keys|replacements)", sql("intent"))
    assert "INSERT INTO order_numbers" in keyless
