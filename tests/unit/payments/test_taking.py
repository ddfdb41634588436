"""Whether a payment may still be begun: only as long as somebody waits for it."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway.admission.admission import Admission, Capacity, Ticket
from gateway.admission.limit import Bounds
from gateway.kernel.clock import Deadline
from gateway.payments.flow import Taking


def ticket_of(*, disconnected: bool) -> Ticket:
    ticket = Admission(Capacity(Bounds(1, 9, 9, 0.1), 9, 9)).admit("m", None, 0.0)
    assert isinstance(ticket, Ticket)
    ticket.connection = SimpleNamespace(disconnected=disconnected)
    return ticket


def taking_of(begin_before_s: float = 5.0, *, disconnected: bool = False) -> Taking:
    """By then from now; whether its till has hung up."""
    return Taking(
        cast("Any", None),
        Deadline.after(5),
        ticket_of(disconnected=disconnected),
        begin_before=time.monotonic() + begin_before_s,
    )


def test_a_payment_whose_till_waits_is_begun() -> None:
    assert taking_of().may_begin
    assert Taking(cast("Any", None), Deadline.after(5)).may_begin


@pytest.mark.parametrize("taking", [taking_of(-0.1), taking_of(disconnected=True)])
def test_a_payment_that_nobody_waits_for_any_more_is_not_begun(taking: Taking) -> None:
    assert not taking.may_begin


@pytest.mark.parametrize("taking", [taking_of(-0.1), taking_of(disconnected=True)])
def test_another_request_for_the_same_payment_keeps_it_wanted(taking: Taking) -> None:
    taking.joined(time.monotonic() + 5)
    assert taking.may_begin


def test_a_payment_that_a_till_was_told_is_not_begun_is_not_begun_for_another_one_either() -> None:
    taking = taking_of()
    taking.given_up = True
    taking.joined(time.monotonic() + 5)
    assert not taking.may_begin


def test_waiting_for_another_payment_makes_room_for_others() -> None:
    taking = taking_of()
    assert taking.ticket is not None
    assert taking.ticket.standing.beginning == 1
    taking.aside()
    assert taking.ticket.standing.beginning == 0


def test_time_elsewhere_is_counted_while_it_lasts_and_added_up() -> None:
    taking = taking_of()
    assert taking.channel_s == 0
    taking.elsewhere_since = time.monotonic() - 3.0
    assert 3.0 <= taking.channel_s < 4.0
    taking.is_back()
    taking.aside()
    taking.goes_out()
    taking.is_back()
    assert 3.0 <= taking.channel_s < 4.0
    assert taking.elsewhere_since is None
