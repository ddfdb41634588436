"""The transition table: one target per event, final states stay, and the guards say the same as the table."""

from __future__ import annotations

import pytest

from gateway.payments.states import TRANSITIONS, Event, Status, sources, target

MOVING = sorted({event for _, event in TRANSITIONS})
NOTES = frozenset(Event) - set(MOVING)


@pytest.mark.parametrize("event", MOVING)
def test_an_event_leads_to_one_status_from_wherever_it_is_legal(event: Event) -> None:
    assert {to for (_, kind), to in TRANSITIONS.items() if kind is event} == {target(event)}


@pytest.mark.parametrize("event", Event)
def test_the_guard_of_an_event_names_exactly_the_states_it_may_leave(event: Event) -> None:
    guard = sources(event)
    allowed = {Status(name) for name in guard.split(",")} if guard else set()
    assert allowed == {start for start, kind in TRANSITIONS if kind is event and start is not None}


def test_what_only_notes_something_moves_no_payment() -> None:
    assert {
        Event.LATE_CAPTURE_FOUND,
        Event.LATE_CAPTURE_REFUNDED,
        Event.ATTEMPT_OPENED,
        Event.ATTEMPT_CLOSED,
        Event.REVIEW_SETTLED,
        Event.REFUND_CREATED,
        Event.REFUND_SUCCEEDED,
        Event.REFUND_FAILED,
    } == NOTES
    for event in NOTES:
        assert sources(event) == ""
        with pytest.raises(KeyError):
            target(event)


def test_a_payment_that_is_over_stays_over() -> None:
    left = {start for start, _ in TRANSITIONS if start is not None}
    assert left == {Status.PROCESSING, Status.REQUIRES_ACTION, Status.SUCCEEDED}
    assert {event for start, event in TRANSITIONS if start is Status.SUCCEEDED} == {Event.REVERSED}


def test_no_event_leads_back_to_where_it_came_from() -> None:
    assert not [start for (start, _), to in TRANSITIONS.items() if start is to]


@pytest.mark.parametrize("status", Status)
def test_a_till_need_not_ask_again_unless_the_payment_is_open(status: Status) -> None:
    assert status.is_final is (status not in {Status.PROCESSING, Status.REQUIRES_ACTION})


@pytest.mark.parametrize("status", Status)
def test_a_code_to_show_is_an_answer_though_it_is_no_end(status: Status) -> None:
    assert status.is_answer is (status is not Status.PROCESSING)
    assert status.is_answer or not status.is_final


@pytest.mark.parametrize("event", Event)
def test_an_event_is_named_in_the_past_tense_under_what_it_happened_to(event: Event) -> None:
    kind, _, happened = event.partition(".")
    assert kind in {"payment", "refund"}
    assert happened.endswith(("ed", "found", "shown", "unsent"))
