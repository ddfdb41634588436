"""Trust in Valkey: given while heartbeats follow each other, taken away by every sign of a loss, given back."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promotions.budget.epochs import BEHIND_MAX, Beat, PoolState, Sign, Trust
from promotions.budget.lanes import LANES, Places, Slice, lane_of, place_of


def trust(epoch: int = 3, generation: int = 100) -> Trust:
    """What a process knows after its first poll."""
    known = Trust()
    known.learn(PoolState(epoch, generation))
    return known


def test_nothing_is_believed_before_postgresql_was_asked() -> None:
    assert not Trust().is_given
    assert trust().is_given


def test_heartbeats_that_follow_each_other_are_believed() -> None:
    known = trust()
    assert all(known.hear(7, b"%d:aa:3" % generation) for generation in (99, 99, 100, 101, 103))
    assert known.is_given


@pytest.mark.parametrize(
    ("raw", "sign"),
    [
        (None, Sign.LOST),
        (b"what somebody else wrote", Sign.LOST),
        (b"99:aa:3", Sign.OLDER_SNAPSHOT),
        (b"100:bb:3", Sign.RUN_ID_CHANGED),
    ],
)
def test_a_sign_of_a_loss_fences_until_the_epoch_rises(raw: bytes | None, sign: Sign) -> None:
    known = trust()
    assert known.hear(7, b"100:aa:3")
    assert not known.hear(7, raw)
    assert (known.is_given, known.sign, known.doubted_lane) == (False, sign, 7)
    known.hear_again(raw)
    known.learn(PoolState(3, 105))
    assert known.sign is sign
    known.learn(PoolState(4, 106))
    assert known.is_given
    assert known.hear(7, b"106:bb:4")


def test_a_heartbeat_that_stands_still_is_believed_for_three_generations_and_again_once_it_has_caught_up() -> None:
    known = trust(generation=100)
    assert known.hear(7, b"100:aa:3")
    known.learn(PoolState(3, 100 + BEHIND_MAX))
    assert known.hear(7, b"100:aa:3")
    known.learn(PoolState(3, 101 + BEHIND_MAX))
    assert not known.hear(7, b"100:aa:3")
    assert known.sign is Sign.BEHIND
    known.hear_again(b"104:aa:3")
    assert known.is_given


def test_a_lane_of_another_epoch_is_not_believed_and_fences_nobody() -> None:
    known = trust(epoch=3)
    assert not known.hear(7, b"101:aa:4")
    assert not known.hear(7, b"99:aa:2")
    assert known.is_given


def test_lanes_are_judged_each_by_itself() -> None:
    known = trust()
    assert known.hear(1, b"103:aa:3")
    assert known.hear(2, b"101:bb:3")
    assert known.is_given


@given(st.lists(st.integers(1, 50), min_size=1, max_size=30))
def test_no_heartbeat_is_ever_believed_after_a_higher_one_under_one_epoch(generations: list[int]) -> None:
    known, highest = trust(generation=1), 0
    for generation in generations:
        believed = known.is_given and known.hear(0, b"%d:aa:3" % generation)
        assert not (believed and generation < highest)
        highest = max(highest, generation if believed else 0)


def test_a_heartbeat_is_read_as_it_is_written() -> None:
    assert Beat.of(b"12:0af:7") == Beat(12, b"0af", 7)
    assert Beat.of(None) is None
    assert Beat.of(b"12:0af") is None


def test_a_slice_and_the_heartbeat_of_its_lane_share_a_hash_tag_under_every_epoch() -> None:
    of = Slice("cmp_1", date(2026, 11, 22), 3)
    first, second = place_of(of, 1), place_of(of, 2)
    assert first.key != second.key
    assert first.beat == second.beat
    tags = {name[name.index("{") : name.index("}")] for name in (first.key, second.key, first.beat)}
    assert len(tags) == 1
    places = Places()
    assert (places.of(of, 1), places.of(of, 2), places.of(of, 1)) == (first, second, first)
    lanes = {lane_of(Slice(f"cmp_{number}", of.day, 0)) for number in range(2_000)}
    assert lanes == set(range(LANES))
