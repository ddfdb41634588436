"""What follows from what a channel says of a code on display: every combination, without a channel."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.payments.code_resolution import (
    CodeFacts,
    Sight,
    Step,
    next_step,
    sight_of,
    step_after_close,
    wait_for_end_s,
    wait_s,
)
from routing.channels.base import ChannelUnknown, Rhythm
from routing.channels.reports import CloseState, TradeReport, TradeState

SHOWN = datetime(2026, 11, 22, 4, 5, 6, tzinfo=UTC)
EXPIRES = SHOWN + timedelta(seconds=300)
RHYTHM = Rhythm((5.0,), (5.0,), 15.0, 5.0, after_shown_s=(5.0, 10.0, 60.0))
FACTS = CodeFacts(
    now=SHOWN + timedelta(seconds=10),
    expires_at=EXPIRES,
    pay_until=EXPIRES,
    absent_from=None,
    reversal_pending=False,
    is_aggregated=False,
    was_shown=True,
    was_paid=False,
    tries=0,
    rhythm=RHYTHM,
    margin_s=30.0,
)
ON_DISPLAY = FACTS
EXPIRED = replace(FACTS, now=EXPIRES)
UNPAYABLE = replace(FACTS, now=EXPIRES + timedelta(seconds=30))
CANCELLED = replace(FACTS, reversal_pending=True)
NEVER_SHOWN = replace(FACTS, was_shown=False)
ANY_WALLET = replace(FACTS, is_aggregated=True, pay_until=SHOWN + timedelta(seconds=120))
ONE_WALLET_OVER = replace(ANY_WALLET, now=SHOWN + timedelta(seconds=150))
UNPAID = [Sight.PENDING, Sight.NOT_FOUND]
NOT_SHUT = [CloseState.NOT_FOUND, CloseState.UNSUPPORTED, CloseState.REPEAT]

facts_of_any_kind = st.builds(
    CodeFacts,
    now=st.integers(0, 600).map(lambda seconds: SHOWN + timedelta(seconds=seconds)),
    expires_at=st.just(EXPIRES),
    pay_until=st.integers(60, 300).map(lambda seconds: SHOWN + timedelta(seconds=seconds)),
    absent_from=st.none() | st.integers(0, 300).map(lambda seconds: SHOWN + timedelta(seconds=seconds)),
    reversal_pending=st.booleans(),
    is_aggregated=st.booleans(),
    was_shown=st.booleans(),
    was_paid=st.booleans(),
    tries=st.integers(0, 50),
    rhythm=st.just(RHYTHM),
    margin_s=st.just(30.0),
)


@pytest.mark.parametrize("state", TradeState)
def test_everything_that_a_channel_says_of_an_order_is_seen(state: TradeState) -> None:
    assert sight_of(TradeReport(state)) in Sight


def test_a_query_without_an_answer_shows_nothing() -> None:
    assert sight_of(ChannelUnknown("timeout")) is Sight.UNKNOWN


@pytest.mark.parametrize("seen", [*UNPAID, Sight.UNKNOWN])
def test_a_code_on_display_that_nobody_has_paid_stays_there(seen: Sight) -> None:
    assert next_step(ON_DISPLAY, seen) is Step.WAIT


@pytest.mark.parametrize("facts", [EXPIRED, CANCELLED, NEVER_SHOWN])
@pytest.mark.parametrize("seen", [*UNPAID, Sight.UNKNOWN])
def test_a_code_whose_time_is_over_is_shut_at_its_channel(facts: CodeFacts, seen: Sight) -> None:
    assert next_step(facts, seen) is Step.CLOSE
    assert step_after_close(facts, seen, CloseState.CLOSED) is Step.END


def test_a_code_that_turns_out_to_be_paid_is_not_ended() -> None:
    assert step_after_close(EXPIRED, Sight.PENDING, CloseState.PAID) is Step.WAIT
    assert next_step(EXPIRED, Sight.CAPTURED) is Step.WAIT


@pytest.mark.parametrize("answer", NOT_SHUT)
@pytest.mark.parametrize("facts", [EXPIRED, CANCELLED])
def test_a_code_that_the_channel_did_not_shut_is_waited_for(facts: CodeFacts, answer: CloseState) -> None:
    assert step_after_close(facts, Sight.NOT_FOUND, answer) is Step.WAIT


@pytest.mark.parametrize("seen", UNPAID)
def test_past_the_channels_own_limit_a_query_that_says_unpaid_ends_it(seen: Sight) -> None:
    assert next_step(UNPAYABLE, seen) is Step.END
    assert next_step(replace(UNPAYABLE, reversal_pending=True), seen) is Step.END


def test_past_that_limit_silence_ends_nothing() -> None:
    assert next_step(UNPAYABLE, Sight.UNKNOWN) is Step.CLOSE
    assert step_after_close(UNPAYABLE, Sight.UNKNOWN, CloseState.UNSUPPORTED) is Step.WAIT


@pytest.mark.parametrize("answer", [*NOT_SHUT, CloseState.CLOSED])
def test_what_nobody_has_ever_seen_ends_at_once(answer: CloseState) -> None:
    expected = Step.END if answer is CloseState.CLOSED else Step.GIVE_UP
    assert step_after_close(NEVER_SHOWN, Sight.NOT_FOUND, answer) is expected


def test_what_nobody_has_ever_seen_and_is_paid_all_the_same_is_not_given_up() -> None:
    assert step_after_close(NEVER_SHOWN, Sight.UNKNOWN, CloseState.PAID) is Step.WAIT
    assert next_step(NEVER_SHOWN, Sight.CAPTURED) is Step.WAIT


@pytest.mark.parametrize("seen", [Sight.CAPTURED, Sight.RETURNED])
def test_money_that_was_faster_than_the_cancellation_goes_back(seen: Sight) -> None:
    assert next_step(CANCELLED, seen) is Step.GIVE_BACK


def test_an_order_that_we_gave_back_ourselves_is_not_taken_for_an_unpaid_one() -> None:
    """Alipay calls both closed."""
    assert next_step(CANCELLED, Sight.SHUT) is Step.END
    assert next_step(replace(CANCELLED, was_paid=True), Sight.SHUT) is Step.GIVE_BACK


def test_one_wallets_order_ends_without_the_code_that_any_wallet_can_pay() -> None:
    assert next_step(ANY_WALLET, Sight.SHUT) is Step.END_ATTEMPT
    assert next_step(ANY_WALLET, Sight.PENDING) is Step.WAIT
    assert next_step(ONE_WALLET_OVER, Sight.NOT_FOUND) is Step.END_ATTEMPT
    assert step_after_close(ANY_WALLET, Sight.PENDING, CloseState.CLOSED) is Step.END_ATTEMPT


def test_at_its_end_such_a_code_ends_with_its_order() -> None:
    over = replace(ANY_WALLET, now=EXPIRES)
    assert next_step(over, Sight.NOT_FOUND) is Step.END
    assert next_step(replace(ANY_WALLET, reversal_pending=True), Sight.SHUT) is Step.END


def test_an_order_that_never_came_to_be_makes_room_when_that_is_sure() -> None:
    absent = replace(ANY_WALLET, absent_from=ANY_WALLET.now)
    assert step_after_close(absent, Sight.NOT_FOUND, CloseState.NOT_FOUND) is Step.END_ATTEMPT
    assert step_after_close(absent, Sight.PENDING, CloseState.NOT_FOUND) is Step.WAIT
    assert step_after_close(absent, Sight.NOT_FOUND, CloseState.UNSUPPORTED) is Step.WAIT
    early = replace(absent, absent_from=absent.now + timedelta(seconds=1))
    assert step_after_close(early, Sight.NOT_FOUND, CloseState.NOT_FOUND) is Step.WAIT


@given(facts_of_any_kind, st.sampled_from(Sight), st.sampled_from(CloseState))
def test_nothing_ends_that_can_still_be_paid(facts: CodeFacts, seen: Sight, answer: CloseState) -> None:
    step = next_step(facts, seen)
    if step is Step.CLOSE:
        step = step_after_close(facts, seen, answer)
    assert step is not Step.CLOSE, "one answer is acted upon, not asked for again at once"
    if step not in {Step.END, Step.END_ATTEMPT}:
        return
    by_time = seen in UNPAID and facts.now >= facts.pay_until + timedelta(seconds=facts.margin_s)
    never_was = seen is Sight.NOT_FOUND and facts.absent_from is not None and facts.now >= facts.absent_from
    assert seen is Sight.SHUT or answer is CloseState.CLOSED or by_time or never_was
    assert step is Step.END or facts.is_aggregated


@given(facts_of_any_kind, st.sampled_from(Sight))
def test_only_a_cancelled_one_gives_money_back(facts: CodeFacts, seen: Sight) -> None:
    if next_step(facts, seen) is Step.GIVE_BACK:
        assert facts.reversal_pending
        assert seen in {Sight.CAPTURED, Sight.RETURNED} or facts.was_paid


@pytest.mark.parametrize(("tries", "seconds"), [(0, 5), (1, 10), (2, 60), (9, 60)])
def test_a_code_on_display_is_asked_about_in_the_channels_rhythm(tries: int, seconds: float) -> None:
    assert wait_s(replace(ON_DISPLAY, tries=tries)) == seconds


def test_no_wait_goes_past_the_moment_at_which_something_is_due() -> None:
    late = replace(ON_DISPLAY, tries=9, now=EXPIRES - timedelta(seconds=7))
    assert wait_s(late) == 7
    assert wait_s(replace(EXPIRED, tries=9)) == 30
    assert wait_s(replace(ANY_WALLET, tries=9, now=SHOWN + timedelta(seconds=140))) == 10
    assert wait_s(replace(ANY_WALLET, tries=9, absent_from=ANY_WALLET.now + timedelta(seconds=3))) == 3


@pytest.mark.parametrize(("answer", "seconds"), [(CloseState.PAID, 1), (CloseState.REPEAT, RHYTHM.repeat_reversal_s)])
def test_what_the_channel_wants_to_be_asked_again_is_asked_soon(answer: CloseState, seconds: float) -> None:
    assert wait_s(replace(CANCELLED, tries=9), answer) == seconds


@given(facts_of_any_kind, st.none() | st.sampled_from(CloseState))
def test_no_wait_is_shorter_than_a_fifth_of_a_second_or_longer_than_the_rhythm(
    facts: CodeFacts, answer: CloseState | None
) -> None:
    assert 0.2 <= wait_s(facts, answer) <= 60


def test_whoever_has_to_wait_for_another_wallet_is_told_how_long_at_the_most() -> None:
    assert wait_for_end_s(ANY_WALLET, CloseState.UNSUPPORTED) == 140
    absent = replace(ANY_WALLET, absent_from=ANY_WALLET.now + timedelta(seconds=25))
    assert wait_for_end_s(absent, CloseState.NOT_FOUND) == 25
    assert wait_for_end_s(absent, CloseState.UNSUPPORTED) == 140
