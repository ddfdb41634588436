"""Who is served next: lines that are slow or fail hold no hands that others need."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.webhooks.lines import QUICK_S, LineKey, Lines

A, B, C = (LineKey(name, again=False) for name in "abc")


def take(lines: Lines, *due: LineKey) -> dict[LineKey, int]:
    """The shares of these lines, all of them taken."""
    shares = lines.shares(due)
    for key, share in shares.items():
        for _ in range(share):
            lines.begin(key)
    return shares


def end(lines: Lines, key: LineKey, times: int = 1, *, succeeded: bool = True, seconds: float = 0.01) -> None:
    for _ in range(times):
        lines.end(key, succeeded=succeeded, seconds=seconds)


def prove(lines: Lines, key: LineKey, times: int = 1) -> None:
    """So many quick successes, one after the other."""
    for _ in range(times):
        lines.begin(key)
        end(lines, key)


def test_a_line_begins_with_a_few_hands_and_gains_one_with_each_quick_success() -> None:
    lines = Lines(1_000)
    assert take(lines, A) == {A: 4}
    assert take(lines, A) == {}
    end(lines, A, 4)
    assert take(lines, A) == {A: 8}


def test_a_line_has_at_most_sixty_four_hands() -> None:
    lines = Lines(1_000)
    prove(lines, A, 200)
    assert take(lines, A) == {A: 64}


@pytest.mark.parametrize(("failures", "left"), [(1, 12), (2, 6), (3, 3), (4, 2), (50, 2)])
def test_a_line_that_fails_loses_half_of_its_hands_each_time_but_not_the_last_two(failures: int, left: int) -> None:
    lines = Lines(1_000)
    prove(lines, A, 20)
    for _ in range(failures):
        lines.begin(A)
        end(lines, A, succeeded=False)
    assert take(lines, A) == {A: left}


@pytest.mark.parametrize("quick_before", [0, 10, 60])
def test_a_line_that_takes_its_time_but_everything_comes_to_have_sixteen_hands(quick_before: int) -> None:
    lines = Lines(1_000)
    prove(lines, A, quick_before)
    for _ in range(61):
        lines.begin(A)
        end(lines, A, seconds=QUICK_S * 2)
    assert take(lines, A) == {A: 16}


def test_a_line_that_takes_its_time_is_not_among_the_quick_ones() -> None:
    lines = Lines(40)
    prove(lines, A, 60)
    lines.begin(A)
    end(lines, A, seconds=QUICK_S * 2)
    assert take(lines, A) == {A: 20}


def test_lines_that_are_not_proven_leave_half_of_all_hands_to_those_that_are() -> None:
    lines = Lines(40)
    prove(lines, A, 60)
    dead = [LineKey(f"dead{number}", again=False) for number in range(30)]
    assert sum(take(lines, *dead).values()) == 20
    assert take(lines, A) == {A: 20}


def test_a_proven_line_that_turns_bad_gives_the_hands_of_the_proven_up() -> None:
    lines = Lines(40)
    prove(lines, A, 60)
    assert take(lines, A) == {A: 40}
    end(lines, A, succeeded=False)
    assert lines.shares([B]) == {}, "39 hands of 40 are at a line that is no longer proven"
    end(lines, A, 30, succeeded=False)
    assert take(lines, B) == {B: 4}
    assert lines.busy == 13


def test_the_first_tries_of_an_endpoint_do_not_wait_for_its_later_ones() -> None:
    lines, later = Lines(100), LineKey("a", again=True)
    assert take(lines, later) == {later: 4}
    end(lines, later, 2, succeeded=False)
    assert take(lines, later, A) == {A: 4}


def test_where_hands_are_short_those_that_got_none_come_first_the_next_time() -> None:
    lines = Lines(16)
    served = []
    for _ in range(3):
        shares = take(lines, A, B, C)
        served.append(set(shares))
        for key, share in shares.items():
            end(lines, key, share, succeeded=False)
    assert {A, B} <= served[0]
    assert C in served[1]


@given(
    st.lists(
        st.tuples(st.sampled_from("abcdef"), st.booleans(), st.booleans(), st.sampled_from([0.01, 5.0])), max_size=200
    ),
    st.integers(8, 64),
)
def test_the_hands_at_work_never_exceed_the_bounds(steps: list[tuple[str, bool, bool, float]], hands_max: int) -> None:
    lines = Lines(hands_max)
    at_work: list[LineKey] = []
    keys = [LineKey(name, again=again) for name in "abcdef" for again in (False, True)]
    for name, begins, succeeded, seconds in steps:
        if begins or not at_work:
            for key, share in take(lines, *keys).items():
                at_work += [key] * share
        else:
            key = next((key for key in at_work if key.endpoint_id == name), at_work[0])
            at_work.remove(key)
            end(lines, key, succeeded=succeeded, seconds=seconds)
        assert lines.busy == len(at_work) <= hands_max
        assert lines._busy_unproven == sum(
            lines._lines[key].busy for key in set(at_work) if not lines._lines[key].proven
        )


def test_lines_that_are_idle_are_forgotten_where_there_are_too_many() -> None:
    lines = Lines(100)
    lines.begin(A)
    for number in range(25_000):
        prove(lines, LineKey(f"other{number}", again=False))
    assert len(lines._lines) <= 20_000
    end(lines, A)
    assert lines.busy == 0
