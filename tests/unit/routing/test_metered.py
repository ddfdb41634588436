"""Calls of a channel are counted by account, call and kind of answer, and pass through unchanged."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import REGISTRY

from gateway.kernel.failures import FailureCode
from gateway.kernel.hot_metrics import flush_hot_metrics
from gateway.kernel.money import Money
from routing.channels.base import CallLimits, ChannelOrder, ChannelRejected, ChannelUnknown, ChannelUnsent, RefundOrder
from routing.channels.reports import TradeReport
from routing.metered import MeteredChannel
from tests.support.fake_channel import PENDING, FakeChannel

LIMITS = CallLimits(1.0)
ORDER = ChannelOrder("01KAN000AA", datetime(2026, 11, 22, tzinfo=UTC), Money(1))
REFUND = RefundOrder(ORDER, "01KAN000AAR", Money(1), ORDER.created_at, "why")


def counted(account: str, call: str, result: str) -> float:
    flush_hot_metrics()
    labels = {"account": account, "call": call, "result": result}
    return REGISTRY.get_sample_value("mashang_channel_calls_total", labels) or 0.0


async def test_an_answer_passes_through_and_is_counted_by_what_it_says() -> None:
    inner = FakeChannel(queries=[PENDING])
    assert await MeteredChannel("acc_answer", inner).query(ORDER, LIMITS) is PENDING
    assert counted("acc_answer", "query", "pending") == 1
    assert inner.calls == [("query", ORDER)]


class OwnKind(ChannelUnknown):
    """An adapter may have a finer kind of its own."""


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (ChannelUnsent("pool_full"), "unsent"),
        (ChannelRejected("X", FailureCode.CHANNEL_REFUSED), "rejected"),
        (ChannelUnknown("timeout"), "unknown"),
        (OwnKind("timeout"), "unknown"),
    ],
)
async def test_an_error_passes_through_and_is_counted_by_its_kind(error: Any, result: str) -> None:
    before = counted("acc_error", "query", result)
    with pytest.raises(type(error)) as raised:
        await MeteredChannel("acc_error", FakeChannel(queries=[error])).query(ORDER, LIMITS)
    assert raised.value is error
    assert counted("acc_error", "query", result) == before + 1


async def test_a_call_that_is_cancelled_is_counted_as_such() -> None:
    class Slow(FakeChannel):
        async def query(self, order: ChannelOrder, limits: CallLimits) -> TradeReport:
            await asyncio.Event().wait()
            raise AssertionError

    call = asyncio.create_task(MeteredChannel("acc_slow", Slow()).query(ORDER, LIMITS))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert counted("acc_slow", "query", "cancelled") == 1


@pytest.mark.parametrize(
    ("call", "order"), [("reverse", ORDER), ("void", REFUND), ("refund", REFUND), ("query_refund", REFUND)]
)
async def test_every_call_reaches_the_same_call_of_the_channel(call: str, order: Any) -> None:
    inner = FakeChannel(refund_queries=[ChannelUnknown("timeout")])
    with pytest.raises(ChannelUnknown):
        await getattr(MeteredChannel("acc_each", inner), call)(order, LIMITS)
    assert inner.calls == [(call, order)]
    assert counted("acc_each", call, "unknown") == 1


async def test_closing_closes_the_channel_behind_it() -> None:
    inner = FakeChannel()
    await MeteredChannel("acc_close", inner).aclose()
    assert inner.closed
    assert MeteredChannel("acc_close", inner).rhythm is inner.rhythm
