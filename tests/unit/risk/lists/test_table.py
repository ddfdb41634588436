"""A table holds exactly the hashes that were put into it, however they are spread."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.lists.book import PART_SHIFT, PARTS, Part, Table

HASH = st.integers(min_value=-(2**63), max_value=2**63 - 1)
CROWDED = st.integers(min_value=-5_000, max_value=5_000)


def table_of(hashes: set[int], expiries: dict[int, int] | None = None) -> Table:
    parts: list[Part | None] = [None] * PARTS
    for number in {each >> PART_SHIFT for each in hashes}:
        of_part = sorted(each for each in hashes if each >> PART_SHIFT == number)
        times = None if expiries is None else array("i", [expiries[each] for each in of_part])
        parts[number] = Part(array("q", of_part), times)
    return Table(parts)


@given(st.sets(HASH | CROWDED, max_size=400), st.lists(HASH | CROWDED, max_size=50))
def test_what_was_put_is_held_and_nothing_else(hashes: set[int], others: list[int]) -> None:
    table = table_of(hashes)
    assert table.entries == len(hashes)
    assert all(table.holds(each, 0.0) for each in hashes)
    for each in [*others, *(each + 1 for each in hashes if each + 1 < 2**63)]:
        assert table.holds(each, 0.0) == (each in hashes)


@pytest.mark.parametrize("step", [1, 1 << 20, (1 << PART_SHIFT) // 3_000])
@pytest.mark.parametrize("first", [0, -(1 << 63), (1 << 63) - (1 << PART_SHIFT)])
def test_a_long_part_is_searched_rightly_whether_its_hashes_are_spread_or_crowded(first: int, step: int) -> None:
    hashes = {first + number * step for number in range(3_000)}
    table = table_of(hashes)
    assert all(table.holds(each, 0.0) for each in hashes)
    assert not any(table.holds(each + step // 2, 0.0) for each in hashes if step > 1)
    assert not table.holds(first + 3_000 * step, 0.0)


@given(st.dictionaries(HASH | CROWDED, st.integers(min_value=0, max_value=2**31 - 1), max_size=100))
def test_each_entry_expires_at_its_own_second(expiries: dict[int, int]) -> None:
    table = table_of(set(expiries), expiries)
    for each, expires_s in expiries.items():
        assert table.holds(each, expires_s - 0.001)
        assert not table.holds(each, float(expires_s))
