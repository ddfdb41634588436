"""The busiest 100 names are told, the rest as `other`; no series goes back, and together they are exact."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter

from gateway.kernel import hot_metrics
from gateway.kernel.hot_metrics import ROWS_MAX, HotRanked
from gateway.metrics.families import Family, Labels
from gateway.metrics.ranking import TOLD_MAX, Ranking, Standing

NAME = "mashang_risk_rule_hits"


def labels(rule: str, mode: str = "live") -> Labels:
    return (("mode", mode), ("rule", rule))


def standing() -> Standing:
    return Standing(frozenset({"rule"}))


def minutes_of(*counts: Mapping[str, float]) -> list[dict[Labels, float]]:
    """What is told of these counts, a minute apart."""
    stands = standing()
    return [
        stands.apply({labels(rule): count for rule, count in each.items()}, 1_000.0 + 61 * minute)
        for minute, each in enumerate(counts)
    ]


def test_up_to_a_hundred_names_are_all_told_and_nothing_is_other() -> None:
    (told,) = minutes_of({f"R_{number}": number + 1 for number in range(TOLD_MAX)})
    assert len(told) == TOLD_MAX
    assert labels("other") not in told


def test_of_more_names_the_busiest_are_told_and_the_rest_together() -> None:
    (told,) = minutes_of({f"R_{number}": number + 1 for number in range(TOLD_MAX + 20)})
    assert len(told) == TOLD_MAX + 1
    assert told[labels("other")] == sum(range(1, 21))
    assert told[labels("R_20")] == 21


def test_one_that_comes_late_and_is_busy_takes_a_place_and_begins_with_all_it_has() -> None:
    before = {f"R_{number}": 10.0 for number in range(TOLD_MAX)}
    told = minutes_of(before, {**before, "R_late": 5}, {**before, "R_late": 500})
    assert (labels("R_late") in told[1], told[1][labels("other")]) == (False, 5)
    assert told[2][labels("R_late")] == 500
    assert len(told[2]) == TOLD_MAX + 1


def test_one_that_is_not_twice_as_busy_takes_nobodys_place() -> None:
    before = {f"R_{number}": 10.0 for number in range(TOLD_MAX)}
    told = minutes_of(before, {**before, "R_late": 19}, {**before, "R_late": 19})
    assert labels("R_late") not in told[-1]


def test_what_was_busy_yesterday_makes_room_for_what_is_busy_today() -> None:
    stands, yesterday = standing(), {labels(f"R_{number}"): 1_000_000.0 for number in range(TOLD_MAX)}
    stands.apply({**yesterday, labels("R_new"): 1.0}, 1_000.0)
    stands.apply({**yesterday, labels("R_new"): 2.0}, 1_061.0)
    told = stands.apply({**yesterday, labels("R_new"): 500.0}, 1_061.0 + 86_400)
    assert told[labels("R_new")] == 500


def test_what_a_process_counted_as_other_is_added_to_the_others() -> None:
    counts = {labels(f"R_{number}"): 5.0 for number in range(TOLD_MAX + 1)} | {labels("other"): 7.0}
    assert standing().apply(counts, 1_000.0)[labels("other")] == 12


def test_live_and_shadow_have_a_rest_each() -> None:
    counts = {labels(f"R_{number}"): 5.0 for number in range(TOLD_MAX)}
    counts |= {labels("R_a"): 1.0, labels("R_b", "shadow"): 2.0}
    told = standing().apply(counts, 1_000.0)
    assert (told[labels("other")], told[labels("other", "shadow")]) == (1, 2)


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(1, 400), st.sampled_from([1.0, 61.0, 4_000.0])),
        min_size=1,
        max_size=60,
    )
)
def test_no_series_goes_back_and_their_growth_is_what_was_counted(steps: list[tuple[int, int, float]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gateway.metrics.ranking.TOLD_MAX", 3)
        stands, now_s = standing(), 1_000.0
        counts: dict[Labels, float] = {}
        highest: dict[Labels, float] = {}
        before: dict[Labels, float] = {}
        for rule, number, pause_s in steps:
            now_s += pause_s
            counts[labels(f"R_{rule}")] = counts.get(labels(f"R_{rule}"), 0.0) + number
            told = stands.apply(counts, now_s)
            assert len(told) <= 3 + 1
            assert all(told[series] >= highest.get(series, 0.0) for series in told)
            stayed = [series for series in told if series in before]
            growth = sum(told[series] - before[series] for series in stayed)
            assert growth in {0.0, number}
            highest |= {series: max(value, highest.get(series, 0.0)) for series, value in told.items()}
            before = told


def test_processes_of_one_folder_tell_the_same(tmp_path: Path) -> None:
    def family() -> Family:
        series = {(f"{NAME}_total", labels(f"R_{number}")): 1.0 + number for number in range(TOLD_MAX + 5)}
        return Family(NAME, "counter", "x", dict(series))

    one, other = family(), family()
    Ranking(tmp_path).apply([one], 1_000.0)
    other.samples[f"{NAME}_total", labels("R_0")] = 1_000.0
    Ranking(tmp_path).apply([other], 1_001.0)
    assert one.samples.keys() == other.samples.keys()
    assert len(one.samples) == TOLD_MAX + 1


@pytest.fixture
def ranked(monkeypatch: pytest.MonkeyPatch) -> tuple[HotRanked, CollectorRegistry]:
    monkeypatch.setattr(hot_metrics, "_PENDING", [])
    registry = CollectorRegistry()
    return HotRanked(Counter("hits", "x", ["rule"], registry=registry), ["rule"]), registry


def test_a_process_counts_every_name_exactly_while_there_is_room(
    ranked: tuple[HotRanked, CollectorRegistry],
) -> None:
    hits, registry = ranked
    for number in range(250):
        hits.count((f"R_{number}",))
    hits.flush()
    hits.count(("R_7",), 4)
    hits.flush()
    assert registry.get_sample_value("hits_total", {"rule": "R_7"}) == 5
    assert registry.get_sample_value("hits_total", {"rule": "other"}) is None


def test_a_busy_name_finds_room_where_thousands_came_before_it(ranked: tuple[HotRanked, CollectorRegistry]) -> None:
    hits, registry = ranked
    for number in range(5_000):
        hits.count((f"R_{number}",))
    hits.flush()
    for _ in range(3):
        hits.count(("R_late",), 4)
        hits.flush()
    assert registry.get_sample_value("hits_total", {"rule": "R_late"}) == 4
    assert registry.get_sample_value("hits_total", {"rule": "other"}) == 5_000 - 250 + 8
    assert len(hits._rows) <= ROWS_MAX


def test_many_names_take_no_more_rows_than_there_are(ranked: tuple[HotRanked, CollectorRegistry]) -> None:
    hits, registry = ranked
    for number in range(2_000):
        hits.count((f"R_{number}",), 5_000)
    hits.flush()
    assert len(hits._rows) == ROWS_MAX
    assert registry.get_sample_value("hits_total", {"rule": "other"}) == 5_000 * (2_000 - ROWS_MAX)
