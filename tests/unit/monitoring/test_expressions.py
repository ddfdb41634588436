"""What is found in an expression, and what is not."""

from __future__ import annotations

import pytest

from loadtests.monitoring.expressions import Selector, Unreadable, read


def test_names_are_told_from_functions_words_and_labels() -> None:
    found = read(
        'sum by (account, le) (rate(a_bucket{call="pay",le=~"0.1|5"}[5m] offset 1d)) / on (account) (b_count > bool 2)'
    )

    assert found.selectors == (Selector("a_bucket", (("call", "pay"), ("le", "0.1|5"))), Selector("b_count"))
    assert found.grouped == {"account", "le"}
    assert found.outermost == {"account", "le"}


def test_a_grouping_may_stand_behind_and_names_may_have_colons() -> None:
    found = read('max(mashang:x:rate5m{a="by (b)"}) without (pod) # sum(c)\n and -d_total unless absent(e)')

    assert [each.name for each in found.selectors] == ["mashang:x:rate5m", "d_total", "e"]
    assert found.grouped == {"pod"}
    assert found.outermost is None


def test_grafanas_intervals_are_ranges() -> None:
    assert [each.name for each in read("rate(a_total[$__rate_interval]) * 60").selectors] == ["a_total"]


@pytest.mark.parametrize("text", ['a{b="c"', "sum by (a", "a{b}"])
def test_what_is_cut_off_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        read(text)
