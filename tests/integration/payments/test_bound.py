"""From the intent on a till is told of a payment, whatever breaks; and what it was told is not begun is not charged."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import asyncpg
import pytest

from gateway.database.outcomes import OutcomeRow
from gateway.kernel.clock import Deadline
from gateway.kernel.errors import Unavailable
from gateway.payments import desk as desks
from gateway.payments.intent import Plan
from gateway.payments.payment import PaymentOrder
from gateway.payments.states import Status
from tests.integration.payments.conftest import Counter
from tests.support.fake_channel import captured


@pytest.mark.parametrize(
    "error",
    [Unavailable("database_busy", "full"), asyncpg.InterfaceError("the pool is closed"), RuntimeError("a bug")],
    ids=["refused", "broken", "bug"],
)
async def test_a_charge_whose_outcome_cannot_be_committed_is_answered_as_processing_and_not_refused(
    counter: Counter, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """A 503 says that nothing is bound: the till would ring the sale up again under another number."""

    async def fail(_row: OutcomeRow) -> Any:
        raise error

    monkeypatch.setattr(counter.charging._outcomes, "begin", fail)
    counter.channel.charges = [captured()]
    order = counter.order()
    answered = await counter.desk.take(order, Deadline.after(5))
    assert answered.payment.status is Status.PROCESSING
    assert counter.channel.asked == ["charge"]
    assert await counter.payments(order) == ["processing"]


async def test_a_channel_that_breaks_its_protocol_leaves_the_payment_processing(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crash(*_: Any) -> Any:
        raise KeyError("trade_state")

    monkeypatch.setattr(counter.channel, "charge_barcode", crash)
    order = counter.order()
    assert (await counter.desk.take(order, Deadline.after(5))).payment.status is Status.PROCESSING


async def test_a_channel_that_keeps_silent_past_the_till_s_wait_is_no_time_of_ours(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = asyncio.Event()

    async def keep_silent(*_: Any) -> Any:
        await answers.wait()
        return captured()

    monkeypatch.setattr(counter.channel, "charge_barcode", keep_silent)
    wait_s, began = 1.0, time.monotonic()
    answered = await counter.desk.take(counter.order(), Deadline.after(wait_s))
    answers.set()
    assert answered.payment.status is Status.PROCESSING
    assert wait_s / 2 < answered.channel_s < time.monotonic() - began
    await counter.desk.drain(5)


async def test_a_payment_of_which_the_till_was_told_that_it_is_not_begun_is_never_begun(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desks, "_BINDING_S", 0.1)
    plan_it = counter.flow._plan
    go_on = asyncio.Event()

    async def plan_slowly(order: PaymentOrder, payment_id: str, deadline: Deadline) -> Plan:
        await go_on.wait()
        return await plan_it(order, payment_id, deadline)

    monkeypatch.setattr(counter.flow, "_plan", plan_slowly)
    counter.channel.charges = [captured()]
    order = counter.order()
    with pytest.raises(Unavailable):
        await counter.desk.take(order, Deadline.after(0.05))
    go_on.set()
    await counter.desk.drain(5)
    assert counter.channel.asked == []
    assert await counter.payments(order) == []

    answered = await counter.desk.take(order, Deadline.after(5))
    assert answered.payment.status is Status.SUCCEEDED, "the number is free: the same request takes the payment"


async def test_a_payment_that_is_bound_only_after_the_till_was_turned_away_is_not_charged(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desks, "_BINDING_S", 0.1)
    begin = counter.flow._intents.begin
    go_on = asyncio.Event()

    async def commit_slowly(row: Any) -> Any:
        await go_on.wait()
        return await begin(row)

    monkeypatch.setattr(counter.flow._intents, "begin", commit_slowly)
    counter.channel.charges = [captured()]
    order = counter.order()
    with pytest.raises(Unavailable):
        await counter.desk.take(order, Deadline.after(0.05))
    go_on.set()
    await counter.desk.drain(5)
    assert counter.channel.asked == []
    assert await counter.payments(order) == ["failed"]
