"""Splits are exact: of any hundred payments in a row each account gets its share, whatever happens in between."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.policy import splits as module
from routing.policy.rules import SplitRule
from routing.policy.splits import Splits, turns_of

ACCOUNTS = ("a", "b", "c", "d", "e", "f")


@st.composite
def weights(draw: st.DrawFn, members_min: int = 1) -> tuple[tuple[str, int], ...]:
    """All ways to share a hundred among one to six."""
    members = draw(st.integers(members_min, len(ACCOUNTS)))
    cuts = draw(st.lists(st.integers(1, 99), min_size=members - 1, max_size=members - 1, unique=True))
    edges = [0, *sorted(cuts), 100]
    return tuple((ACCOUNTS[number], edges[number + 1] - edges[number]) for number in range(members))


def rule(shares: tuple[tuple[str, int], ...], name: str = "contract", when: str = "true") -> SplitRule:
    return SplitRule(name, when, True, "", shares)


def is_exact(dealt: list[str], shares: tuple[tuple[str, int], ...]) -> bool:
    """Whether every window of a hundred holds each account exactly as often as its share says."""
    windows = (Counter(dealt[start : start + 100]) for start in range(len(dealt) - 99))
    return all(window == dict(shares) for window in windows)


@given(shares=weights(), begin=st.integers(0, 250))
def test_any_hundred_in_a_row_hold_the_shares_exactly(shares: tuple[tuple[str, int], ...], begin: int) -> None:
    splits, members = Splits(), dict(shares).keys()
    dealt = [splits.choose(rule(shares), members) for _ in range(begin + 250)]
    assert is_exact([account for account in dealt[begin:] if account], shares)


def test_seventy_to_thirty_is_spread_over_each_ten() -> None:
    splits, shares = Splits(), (("a", 70), ("b", 30))
    for _ in range(30):
        ten = Counter(splits.choose(rule(shares), {"a", "b"}) for _ in range(10))
        assert ten == {"a": 7, "b": 3}


@given(shares=weights(2), data=st.data())
def test_while_members_are_away_the_counters_stand_still(
    shares: tuple[tuple[str, int], ...], data: st.DataObject
) -> None:
    """The payments for which all were usable are exact among themselves; no other goes to who is not usable."""
    splits, members = Splits(), dict(shares).keys()
    whole: list[str] = []
    for _ in range(6):
        whole += [splits.choose(rule(shares), members) or "" for _ in range(data.draw(st.integers(0, 60)))]
        usable = data.draw(st.sets(st.sampled_from(sorted(members)), max_size=len(members) - 1))
        for _ in range(data.draw(st.integers(0, 60))):
            chosen = splits.choose(rule(shares), usable | {"elsewhere"})
            assert chosen in usable if usable else chosen is None
    whole += [splits.choose(rule(shares), members) or "" for _ in range(100)]
    assert is_exact(whole, shares)


@given(shares=weights(3))
def test_whoever_is_left_shares_by_weight(shares: tuple[tuple[str, int], ...]) -> None:
    splits, left = Splits(), shares[1:]
    total = sum(weight for _, weight in left)
    dealt = Counter(splits.choose(rule(shares), dict(left).keys()) for _ in range(total))
    assert dealt == dict(left)


@given(data=st.data())
def test_rules_do_not_disturb_each_other(data: st.DataObject) -> None:
    splits = Splits()
    rules = [rule(data.draw(weights()), name=f"rule{number}") for number in range(3)]
    dealt: dict[str, list[str]] = {each.name: [] for each in rules}
    for each in data.draw(st.lists(st.sampled_from(rules), max_size=300)):
        dealt[each.name].append(splits.choose(each, ACCOUNTS) or "")
    for each in rules:
        dealt[each.name] += [splits.choose(each, ACCOUNTS) or "" for _ in range(100)]
        assert is_exact(dealt[each.name], each.weights)


@given(shares=weights(), first=st.integers(1, 99))
def test_a_rule_goes_on_counting_in_a_new_version(shares: tuple[tuple[str, int], ...], first: int) -> None:
    """What says nothing else of a sale (a description) is no change, nor is being left out for a while."""
    splits = Splits()
    dealt = [splits.choose(rule(shares), ACCOUNTS) or "" for _ in range(first)]
    splits.choose(rule(shares, name="other"), ACCOUNTS)
    again = replace(rule(shares), description="described")
    dealt += [splits.choose(again, ACCOUNTS) or "" for _ in range(100 - first)]
    assert Counter(dealt) == dict(shares)


@pytest.mark.parametrize("changed", [{"when": "false"}, {"name": "x"}, {"weights": (("a", 60), ("b", 40))}])
def test_a_rule_that_has_changed_begins_anew(changed: dict[str, object]) -> None:
    splits, before = Splits(), rule((("a", 70), ("b", 30)))
    after = replace(before, **changed)  # type: ignore[arg-type]
    begun = turns_of(after.weights)
    for _ in range(3):
        splits.choose(before, ACCOUNTS)
    assert tuple(splits.choose(after, ACCOUNTS) for _ in range(100)) == begun


def test_looking_ahead_takes_no_turn() -> None:
    splits, each = Splits(), rule((("a", 50), ("b", 50)))
    for _ in range(100):
        seen = [splits.foresee(each, ACCOUNTS) for _ in range(3)]
        assert seen == [splits.choose(each, ACCOUNTS)] * 3
    assert splits.foresee(each, ()) is None


def test_memory_is_bounded_and_what_is_in_use_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_KEPT_MAX", 8)
    splits, used = Splits(), rule((("a", 70), ("b", 30)))
    dealt = []
    for number in range(100):
        dealt.append(splits.choose(used, ACCOUNTS))
        splits.choose(rule((("a", 100),), name=f"rule{number}"), ACCOUNTS)
    assert Counter(dealt) == {"a": 70, "b": 30}
    assert len(splits._turns) == 8


@given(shares=weights())
def test_turns_are_spread_as_evenly_as_they_can_be(shares: tuple[tuple[str, int], ...]) -> None:
    """In no beginning of the turns is an account further from its share than the number of accounts allows."""
    turns = turns_of(shares)
    for end in range(1, 101):
        seen = Counter(turns[:end])
        for account, weight in shares:
            assert abs(seen[account] - weight * end / 100) < len(shares)
