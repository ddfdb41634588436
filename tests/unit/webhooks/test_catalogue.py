"""What merchants are told of, and what they are not."""

from __future__ import annotations

import pytest

from gateway.payments.states import TRANSITIONS, Event, Status
from gateway.webhooks.catalogue import TOLD, WebhookType, public_type, written_types

_OURS_ONLY = {Event.CREATED, Event.ATTEMPT_OPENED, Event.ATTEMPT_CLOSED, Event.REVIEW_SETTLED, Event.REFUND_CREATED}


def test_every_event_is_told_but_those_that_are_nobodys_business() -> None:
    assert {event for event in Event if event in TOLD} == set(Event) - _OURS_ONLY


@pytest.mark.parametrize(("start", "event"), TRANSITIONS)
def test_a_transition_is_told_under_the_status_that_it_leads_to(start: Status | None, event: Event) -> None:
    if event not in _OURS_ONLY:
        assert public_type(event) == f"payment.{TRANSITIONS[start, event]}"


@pytest.mark.parametrize("public", WebhookType)
def test_every_type_has_events_that_are_written_and_a_subject(public: WebhookType) -> None:
    assert [public_type(written) for written in written_types([public])] == [public] * len(written_types([public]))
    assert written_types([public])
    assert public.subject in {"payment", "refund", "coupon", "webhook_endpoint"}
