"""What is done next for a payment without an outcome: every combination of sighting, time and rhythm."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.payments.resolution import (
    Facts,
    Sighting,
    Verdict,
    reverse_now,
    verdict_of_reversal,
    wait_after_reversal_s,
    wait_s,
)
from routing.channels.base import Rhythm
from routing.channels.reports import ReversalState
from routing.channels.settings import ALIPAY_RHYTHM, UNIONPAY_RHYTHM, WECHAT_RHYTHM

CREATED = datetime(2026, 11, 22, 4, tzinfo=UTC)
FACTS = Facts(
    now=CREATED + timedelta(seconds=20),
    created_at=CREATED,
    send_before=CREATED + timedelta(seconds=5),
    expires_at=CREATED + timedelta(seconds=60),
    reversal_pending=False,
    tries=0,
    rhythm=Rhythm((5.0, 10.0), (2.0, 4.0), reverse_not_before_s=15.0, repeat_reversal_s=7.0),
    not_created_after_s=120.0,
)
SOONEST_S = 0.2


def at(seconds: float, **changes: object) -> Facts:
    """The facts so many seconds after the payment was created."""
    return replace(FACTS, now=CREATED + timedelta(seconds=seconds), **changes)  # type: ignore[arg-type]


rhythms = st.sampled_from([FACTS.rhythm, WECHAT_RHYTHM, ALIPAY_RHYTHM, UNIONPAY_RHYTHM]) | st.builds(
    Rhythm,
    st.lists(st.floats(0, 600), min_size=1, max_size=4).map(tuple),
    st.lists(st.floats(0, 600), min_size=1, max_size=4).map(tuple),
    st.floats(0, 120),
    st.floats(0, 600),
)
any_facts = st.builds(
    at,
    st.floats(0, 400),
    reversal_pending=st.booleans(),
    tries=st.integers(0, 50),
    rhythm=rhythms,
    expires_at=st.floats(0, 200).map(lambda seconds: CREATED + timedelta(seconds=seconds)),
    send_before=st.floats(0, 20).map(lambda seconds: CREATED + timedelta(seconds=seconds)),
    not_created_after_s=st.floats(0, 300),
)
sightings = st.sampled_from(Sighting)


def next_due(facts: Facts, seen: Sighting) -> list[datetime]:
    """The moments ahead at which another step than one more query falls due, told independently of the code."""
    ends = facts.created_at if facts.reversal_pending else facts.expires_at
    reversible = facts.created_at + timedelta(seconds=facts.rhythm.reverse_not_before_s)
    due = [max(ends, reversible)]
    if seen is Sighting.NOT_FOUND:
        due.append(facts.send_before + timedelta(seconds=facts.not_created_after_s))
    return [moment for moment in due if moment > facts.now]


@given(any_facts, sightings)
def test_a_payment_never_waits_past_its_next_due_moment(facts: Facts, seen: Sighting) -> None:
    wakes = facts.now + timedelta(seconds=wait_s(facts, seen))
    soonest = facts.now + timedelta(seconds=SOONEST_S)
    assert all(wakes <= max(moment, soonest) + timedelta(microseconds=1) for moment in next_due(facts, seen))


@given(any_facts, sightings)
def test_a_payment_is_asked_no_later_than_in_the_channels_rhythm_and_no_two_steps_are_too_close(
    facts: Facts, seen: Sighting
) -> None:
    waits = facts.rhythm.after_pending_s if seen is Sighting.PENDING else facts.rhythm.after_unknown_s
    longest = max(SOONEST_S, waits[min(facts.tries, len(waits) - 1)])
    assert SOONEST_S <= wait_s(facts, seen) <= longest
    assert SOONEST_S <= wait_after_reversal_s(facts, seen) <= max(SOONEST_S, facts.rhythm.repeat_reversal_s)


@given(any_facts)
def test_nothing_is_reversed_before_it_must_end_nor_before_the_channel_allows(facts: Facts) -> None:
    if reverse_now(facts):
        assert facts.reversal_pending or facts.now >= facts.expires_at
        assert (facts.now - facts.created_at).total_seconds() >= facts.rhythm.reverse_not_before_s - 1e-6


@given(any_facts)
def test_what_must_end_is_reversed_as_soon_as_the_channel_allows(facts: Facts) -> None:
    assume(facts.reversal_pending or facts.now >= facts.expires_at)
    assume((facts.now - facts.created_at).total_seconds() > facts.rhythm.reverse_not_before_s + 1e-6)
    assert reverse_now(facts)


@given(any_facts, sightings, st.sampled_from(ReversalState))
def test_not_created_is_never_said_before_the_order_is_surely_absent(
    facts: Facts, seen: Sighting, answer: ReversalState
) -> None:
    if verdict_of_reversal(facts, seen, answer) is Verdict.NOT_CREATED:
        assert (seen, answer) == (Sighting.NOT_FOUND, ReversalState.NOT_FOUND)
        assert facts.now >= facts.send_before + timedelta(seconds=facts.not_created_after_s)


@pytest.mark.parametrize("seconds", [20, 124.9, 125, 1_000])
@pytest.mark.parametrize("seen", Sighting)
@pytest.mark.parametrize("answer", ReversalState)
def test_the_verdict_of_every_answer_to_a_reversal(answer: ReversalState, seen: Sighting, seconds: float) -> None:
    absent = seen is Sighting.NOT_FOUND and seconds >= 125
    assert (
        verdict_of_reversal(at(seconds), seen, answer)
        == {
            ReversalState.REVERSED: Verdict.REVERSED,
            ReversalState.NOT_FOUND: Verdict.NOT_CREATED if absent else Verdict.AGAIN,
            ReversalState.REFUSED: Verdict.CANNOT,
            ReversalState.ACCEPTED: Verdict.AGAIN,
            ReversalState.REPEAT: Verdict.AGAIN,
        }[answer]
    )


@pytest.mark.parametrize(
    ("seconds", "pending", "reverses"),
    [
        (20, False, False),
        (59.9, False, False),
        (60, False, True),
        (10, True, False),
        (15, True, True),
        (500, False, True),
    ],
)
def test_a_reversal_begins_at_expiry_or_when_the_merchant_cancels(
    seconds: float, pending: bool, reverses: bool
) -> None:
    assert reverse_now(at(seconds, reversal_pending=pending)) is reverses


@pytest.mark.parametrize(
    ("seconds", "tries", "seen", "pending", "waits_s"),
    [
        (20, 0, Sighting.PENDING, False, 5.0),
        (20, 1, Sighting.PENDING, False, 10.0),
        (20, 9, Sighting.PENDING, False, 10.0),
        (20, 0, Sighting.UNKNOWN, False, 2.0),
        (20, 9, Sighting.NOT_FOUND, False, 4.0),
        (57, 9, Sighting.PENDING, False, 3.0),  # the payment expires before the next query
        (59.95, 9, Sighting.PENDING, False, 0.2),
        (12, 9, Sighting.PENDING, True, 3.0),  # cancelled: the channel takes a reversal from second 15 on
        (2, 9, Sighting.UNKNOWN, True, 4.0),
    ],
)
def test_the_wait_until_the_next_query(
    seconds: float, tries: int, seen: Sighting, pending: bool, waits_s: float
) -> None:
    assert wait_s(at(seconds, tries=tries, reversal_pending=pending), seen) == pytest.approx(waits_s)


@pytest.mark.parametrize(
    ("seconds", "seen", "waits_s"),
    [
        (70, Sighting.PENDING, 7.0),
        (122, Sighting.PENDING, 7.0),
        (122, Sighting.NOT_FOUND, 3.0),
        (200, Sighting.NOT_FOUND, 7),
    ],
)
def test_a_reversal_is_repeated_in_the_channels_rhythm_and_when_the_order_is_surely_absent(
    seconds: float, seen: Sighting, waits_s: float
) -> None:
    assert wait_after_reversal_s(at(seconds), seen) == pytest.approx(waits_s)


@pytest.mark.parametrize("rhythm", [WECHAT_RHYTHM, ALIPAY_RHYTHM, UNIONPAY_RHYTHM])
@pytest.mark.parametrize("answers", [ReversalState.NOT_FOUND, ReversalState.REVERSED])
def test_a_payment_that_the_channel_never_heard_of_is_over_within_180_seconds(
    rhythm: Rhythm, answers: ReversalState
) -> None:
    """I6, with the longest expiry: the steps played through, each of them taking a second at the channel."""
    facts = at(0, rhythm=rhythm, expires_at=CREATED + timedelta(seconds=120))
    for tries in range(200):
        facts = replace(facts, tries=tries)
        verdict = None
        if reverse_now(facts):
            verdict = verdict_of_reversal(facts, Sighting.NOT_FOUND, answers)
            if verdict in {Verdict.NOT_CREATED, Verdict.REVERSED}:
                break
        wait = (
            wait_s(facts, Sighting.NOT_FOUND) if verdict is None else wait_after_reversal_s(facts, Sighting.NOT_FOUND)
        )
        facts = replace(facts, now=facts.now + timedelta(seconds=wait + 1))
    assert (facts.now - CREATED).total_seconds() < 180
