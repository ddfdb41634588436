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
from routing.channels.base import (
    CallLimits,
    Channel,
    ChannelOrder,
    ChannelRejected,
    ChannelUnknown,
    ChannelUnsent,
    RefundOrder,
)
from routing.channels.notifications import Acknowledgement, Acknowledgements, Notification
from routing.channels.reports import CloseReport, CloseState, CodeReport, PageReport, TradeReport
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


class Shop(FakeChannel):
    """A channel that answers every call about codes, pages, payers, notifications and statements."""

    acknowledgements = Acknowledgements(Acknowledgement(200, "a/b", b"y"), Acknowledgement(400, "a/b", b"n"))

    async def create_code(self, *asked: Any) -> CodeReport:
        return self._answer("create_code", asked, CodeReport("weixin://x"))

    async def create_page_order(self, *asked: Any) -> PageReport:
        return self._answer("create_page_order", asked, PageReport({"tradeNO": "1"}))

    async def identify_payer(self, *asked: Any) -> str:
        return self._answer("identify_payer", asked, "openid")

    async def close(self, *asked: Any) -> CloseReport:
        return self._answer("close", asked, CloseReport(CloseState.PAID))

    async def statement(self, *asked: Any) -> None:
        return self._answer("statement", asked, None)

    def authorize_url(self, *asked: Any) -> str:
        return self._answer("authorize_url", asked, "https://x")

    def read_notification(self, *asked: Any) -> Notification:
        return self._answer("read_notification", asked, Notification("n", "o"))

    def _answer(self, call: str, asked: Any, answer: Any) -> Any:
        self.calls.append((call, asked))
        return answer


@pytest.mark.parametrize(
    ("call", "asked", "said"),
    [
        ("create_code", ("code", LIMITS), "done"),
        ("create_page_order", ("page", LIMITS), "done"),
        ("identify_payer", ("code", "app", LIMITS), "done"),
        ("close", (ORDER, LIMITS), "paid"),
        ("statement", (ORDER.created_at.date(), LIMITS), "none"),
    ],
)
async def test_calls_without_a_state_are_counted_too(call: str, asked: tuple[Any, ...], said: str) -> None:
    inner = Shop()
    expected = await getattr(Shop(), call)(*asked)
    assert await getattr(MeteredChannel("acc_shop", inner), call)(*asked) == expected
    assert inner.calls == [(call, asked)]
    assert counted("acc_shop", call, said) == 1


@pytest.mark.parametrize(
    ("call", "asked"), [("authorize_url", ("https://x", "state")), ("read_notification", ({}, b"body"))]
)
def test_what_asks_nobody_passes_through(call: str, asked: tuple[Any, ...]) -> None:
    inner = Shop()
    assert getattr(MeteredChannel("acc_pass", inner), call)(*asked) == getattr(Shop(), call)(*asked)
    assert inner.calls == [(call, asked)]


def test_the_channels_own_rules_and_words_pass_through() -> None:
    inner = Shop()
    metered = MeteredChannel("acc_rules", inner)
    assert metered.refund_rules is inner.refund_rules
    assert metered.acknowledgements is inner.acknowledgements


def test_the_wrapper_offers_everything_that_a_channel_offers() -> None:
    offered = {name for name in vars(Channel) if not name.startswith("_")}
    assert offered == {name for name in vars(MeteredChannel) if not name.startswith("_")}
