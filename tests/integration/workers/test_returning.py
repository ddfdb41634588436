"""Giving the whole of an attempt back: a refusal ends it only where no earlier request can still be carried out."""

from __future__ import annotations

import pytest

from gateway.database.intents import IntentRow
from gateway.kernel.failures import FailureCode
from gateway.payments.states import Event, Status
from routing.channels.base import CallLimits, ChannelRejected, ChannelUnsent, RefundOrder
from routing.channels.reports import RefundReport, RefundState
from tests.integration.workers.conftest import House
from tests.support.fake_channel import SILENT, captured

RETURNED = RefundReport(RefundState.SUCCEEDED)
NO_SUCH_REFUND = RefundReport(RefundState.NOT_FOUND)
REFUSED = ChannelRejected("TRADE_HAS_CLOSE", FailureCode.REFUND_REFUSED)


async def cancelled(house: House, kind: str) -> IntentRow:
    """A payment whose whole money has to go back: a bar code's that was booked, a code's that was just found."""
    row = await (house.begin(Event.CAPTURED) if kind == "bar code" else house.show())
    await house.cancel(row)
    house.channel.queries = [captured()]
    return row


def script(house: House, *answers: RefundReport | Exception) -> None:
    house.channel.voids = list(answers)  # type: ignore[arg-type]
    house.channel.refunds = list(answers)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["bar code", "code on display"])
async def test_a_refusal_after_a_request_that_was_not_answered_is_not_believed(house: House, kind: str) -> None:
    """The repetition is refused because the first request is being carried out: the money goes back all the same."""
    row = await cancelled(house, kind)
    script(house, SILENT, REFUSED)
    await house.step(row)
    assert (await house.step(row)).reversal == "pending"
    house.channel.refund_queries = [RETURNED]
    payment = await house.step(row)
    assert (payment.status, payment.reversal) == (Status.REVERSED, "succeeded")
    assert await house.balances(row) == {}


@pytest.mark.parametrize("kind", ["bar code", "code on display"])
async def test_a_refusal_is_believed_once_the_unanswered_request_can_no_longer_arrive(house: House, kind: str) -> None:
    row = await cancelled(house, kind)
    script(house, SILENT, REFUSED)
    house.channel.refund_queries = [NO_SUCH_REFUND]
    await house.step(row)
    await house.age(row, 120)
    assert (await house.step(row)).reversal == "pending", "it can have left as late as its time allowed"
    await house.age(row, 10)
    assert (await house.step(row)).reversal == "failed"


@pytest.mark.parametrize("kind", ["bar code", "code on display"])
async def test_a_refusal_after_a_request_that_never_left_is_believed(house: House, kind: str) -> None:
    row = await cancelled(house, kind)
    script(house, ChannelUnsent("connect_failed"), REFUSED)
    assert (await house.step(row)).reversal == "pending"
    assert (await house.step(row)).reversal == "failed"


@pytest.mark.parametrize("kind", ["bar code", "code on display"])
async def test_a_worker_that_slept_on_a_refusal_does_not_end_what_another_one_is_at(
    house: House, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = await cancelled(house, kind)
    asleep = await house.lease(row)

    async def refused_and_slept(_refund: RefundOrder, _limits: CallLimits) -> RefundReport:
        await house.age(row, 31)
        assert (await house.lease(row)).lease_token > asleep.lease_token
        raise REFUSED

    for name in ("void", "refund"):
        monkeypatch.setattr(house.channel, name, refused_and_slept)
    await house.handle(asleep)
    assert (await house.payment(row)).reversal == "pending"


async def test_a_worker_whose_lease_was_lost_asks_for_nothing(house: House) -> None:
    row = await cancelled(house, "bar code")
    asleep = await house.lease(row)
    await house.age(row, 31)
    awake = await house.lease(row)
    script(house, RETURNED)
    await house.handle(asleep)
    assert house.channel.asked == []
    await house.handle(awake)
    assert (await house.payment(row)).status is Status.REVERSED
