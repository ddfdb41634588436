"""Rows become the arrays of a statement; what no row has is not sent."""

from __future__ import annotations

from gateway.database.batches import columns_of


def test_a_column_of_nothing_but_none_is_none() -> None:
    rows = [("a", None, None, 0, ""), ("b", None, 1, 0, "")]
    assert columns_of(rows) == [("a", "b"), None, (None, 1), (0, 0), ("", "")]


def test_a_single_row_is_a_column_of_one() -> None:
    assert columns_of([("a", None)]) == [("a",), None]
