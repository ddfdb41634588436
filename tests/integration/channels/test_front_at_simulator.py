"""The bar-code front from end to end: every wallet's bar code, codes on display, refunds, notifications, outages."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import httpx
import pytest

from gateway.kernel.failures import FailureCode
from gateway.kernel.money import Money
from routing.channels.base import BarcodeCharge, CallLimits, ChannelRejected, ChannelUnknown, Wallet
from routing.channels.codes import wallet_of
from routing.channels.notifications import NotificationRefused
from routing.channels.reports import CloseState, RefundState, ReversalState, TradeReport, TradeState
from routing.channels.transport import HttpTransport
from routing.simulators.provision import AccountSeed
from tests.integration.channels.conftest import opened
from tests.integration.channels.shop import LIMITS, Shop, code_order, paid_code, refund_of, until_given_back
from tests.unit.simulators.listener import Heard, Listener, listening

CODES: Final = {
    Wallet.WECHAT: ("13", 18),
    Wallet.ALIPAY: ("28", 18),
    Wallet.UNIONPAY: ("62", 19),
    Wallet.DIGITAL_RMB: ("01", 19),
    Wallet.JD: ("18", 18),
    Wallet.BEST_PAY: ("51", 18),
    Wallet.QQ: ("91", 18),
}
_numbers = itertools.count(time.time_ns() % 10**9)


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as server:
        yield server


@pytest.fixture
def front(seeds: dict[str, AccountSeed], transport: HttpTransport, listener: Listener) -> Iterator[Shop]:
    """The account at the front, now and after a rotation of its key."""
    names = ("unionpay_front", "unionpay_front_rotated")
    account, rotated = [opened(seeds[name], transport, notify_url=listener.url()) for name in names]
    yield Shop(account, rotated, listener)
    httpx.delete(f"{account.simulator_url}/_simulator/faults", trust_env=False)


def charge_of(wallet: Wallet, ending: str = "1234", amount_fen: int = 1280) -> BarcodeCharge:
    """A new order for that wallet's customer."""
    prefix, length = CODES[wallet]
    code = f"{prefix}{next(_numbers):0{length - 6}d}{ending}"
    assert wallet_of(code) is wallet
    return BarcodeCharge(code_order(amount_fen).order, code, "豆浆&油条 <大份>", "S1", "T0000001", "O1")


def resent(front: Shop, order_no: str, **forging: object) -> Heard:
    """The order's notification as it comes once more, forged as asked."""
    return front.resent(front.told_of(order_no)["id"], **forging)


async def until(front: Shop, charge: BarcodeCharge, holds: Callable[[TradeReport], bool]) -> TradeReport:
    async with asyncio.timeout(10):
        while True:
            if holds(report := await front.account.channel.query(charge.order, LIMITS)):
                return report
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("wallet", Wallet)
async def test_the_bar_code_of_every_wallet_is_charged_found_and_given_back(wallet: Wallet, front: Shop) -> None:
    channel, charge = front.account.channel, charge_of(wallet)
    charged = await channel.charge_barcode(charge, LIMITS)
    found = await channel.query(charge.order, LIMITS)
    assert charged.state is found.state is TradeState.CAPTURED
    assert (charged.amount_fen, found.amount_fen) == (1280, 1280)
    assert charged.channel_trade_no == found.channel_trade_no is not None
    assert found.paid_at == charged.paid_at
    assert found.paid_at is not None
    assert abs((found.paid_at - datetime.now(UTC)).total_seconds()) < 60
    assert front.account.charged_fen(charge.order.order_no) == [1280]
    void = refund_of(charge.order, 1280)
    assert (await channel.void(void, LIMITS)).state is RefundState.PENDING
    assert (await until_given_back(front, void)).state is RefundState.SUCCEEDED
    assert (await channel.query(charge.order, LIMITS)).state is TradeState.REFUNDED


async def test_two_refunds_of_one_payment_are_told_apart(front: Shop) -> None:
    channel, charge = front.account.channel, charge_of(Wallet.ALIPAY)
    await channel.charge_barcode(charge, LIMITS)
    first = refund_of(charge.order, 280)
    second = replace(first, refund_no=f"{charge.order.order_no}F02", amount=Money(300))
    for refund in (first, second):
        await channel.refund(refund, LIMITS)
    reports = [await until_given_back(front, refund) for refund in (first, second)]
    assert [(report.state, report.amount_fen) for report in reports] == [
        (RefundState.SUCCEEDED, 280),
        (RefundState.SUCCEEDED, 300),
    ]
    assert reports[0].channel_refund_no != reports[1].channel_refund_no


async def test_a_code_is_paid_notified_and_refunded(front: Shop) -> None:
    channel = front.account.channel
    order = await paid_code(front)
    found = await channel.query(order, LIMITS)
    assert (found.state, found.amount_fen) == (TradeState.CAPTURED, 1280)
    [told] = await front.heard_of(order.order_no)
    assert told.trade is not None
    assert (told.order_no, told.trade.state, told.trade.amount_fen) == (order.order_no, TradeState.CAPTURED, 1280)
    assert (told.trade.channel_trade_no, told.trade.paid_at) == (found.channel_trade_no, found.paid_at)
    refund = refund_of(order, 280)
    await channel.refund(refund, LIMITS)
    assert (await until_given_back(front, refund)).state is RefundState.SUCCEEDED


async def test_a_code_that_nobody_paid_is_closed_and_one_that_was_paid_is_not(front: Shop) -> None:
    channel, code = front.account.channel, code_order()
    shown = await channel.create_code(code, LIMITS)
    assert (await channel.query(code.order, LIMITS)).state is TradeState.PENDING
    assert (await channel.close(code.order, LIMITS)).state is CloseState.CLOSED
    assert (await channel.query(code.order, LIMITS)).state is TradeState.CLOSED
    assert front.scan(shown.qr_code, status=409)["error"] == "closed"
    order = await paid_code(front)
    assert (await channel.close(order, LIMITS)).state is CloseState.PAID
    assert (await channel.close(code_order().order, LIMITS)).state is CloseState.NOT_FOUND


async def test_an_order_that_is_known_with_other_values_is_unknown_and_no_refusal(front: Shop) -> None:
    channel, code = front.account.channel, code_order()
    await channel.create_code(code, LIMITS)
    with pytest.raises(ChannelUnknown):
        await channel.create_code(replace(code, order=replace(code.order, amount=Money(1))), LIMITS)


async def test_a_reversal_gives_a_paid_bar_code_back_and_shuts_an_unpaid_one(front: Shop) -> None:
    channel = front.account.channel
    paid, waiting = charge_of(Wallet.WECHAT), charge_of(Wallet.JD, "9004")
    assert (await channel.charge_barcode(paid, LIMITS)).state is TradeState.CAPTURED
    assert (await channel.charge_barcode(waiting, LIMITS)).state is TradeState.PENDING
    for charge in (paid, waiting):
        for _ in range(2):
            report = await channel.reverse(charge.order, LIMITS)
            assert report.state in {ReversalState.REVERSED, ReversalState.ACCEPTED}
        assert (await channel.query(charge.order, LIMITS)).state is TradeState.CLOSED


async def test_a_payment_behind_a_lost_answer_is_found_once(front: Shop) -> None:
    charge = charge_of(Wallet.BEST_PAY, "9005")
    with pytest.raises(ChannelUnknown):
        await front.account.channel.charge_barcode(charge, CallLimits(0.6))
    report = await until(front, charge, lambda report: report.state is TradeState.CAPTURED)
    assert report.amount_fen == 1280
    assert front.account.charged_fen(charge.order.order_no) == [1280]


async def test_with_a_wrong_key_nothing_is_charged_and_nobody_else_is_asked(
    seeds: dict[str, AccountSeed], transport: HttpTransport
) -> None:
    """The front turns it away at the door, unsigned, so it is a refusal that never fails over, or nothing proven."""
    stranger, charge = opened(seeds["unionpay_front"], transport, key="0" * 32), charge_of(Wallet.QQ)
    with pytest.raises((ChannelRejected, ChannelUnknown)) as caught:
        await stranger.channel.charge_barcode(charge, LIMITS)
    if isinstance(caught.value, ChannelRejected):
        assert (caught.value.failure, caught.value.may_fail_over) == (FailureCode.CHANNEL_MISCONFIGURED, False)
    assert stranger.charged_fen(charge.order.order_no) == []


async def test_forged_notifications_are_refused_and_mistaken_ones_are_read_as_they_are(front: Shop) -> None:
    channel, order = front.account.channel, await paid_code(front)
    [told] = await front.heard_of(order.order_no)
    again = resent(front, order.order_no)
    assert channel.read_notification(again.headers, again.body).id == told.id
    for forging, reason in (({"tamper": "signature"}, "signature"), ({"tamper": "merchant"}, "wrong_account")):
        forged = resent(front, order.order_no, **forging)
        with pytest.raises(NotificationRefused, match=reason):
            channel.read_notification(forged.headers, forged.body)
    mistaken = channel.read_notification({}, resent(front, order.order_no, tamper="amount").body)
    assert mistaken.trade is not None
    assert (mistaken.order_no, mistaken.trade.amount_fen) == (order.order_no, 1281)
    assert channel.read_notification({}, resent(front, order.order_no, tamper="order").body).order_no != told.order_no


async def test_after_a_rotation_either_key_works_and_each_reads_what_was_signed_for_it(front: Shop) -> None:
    order = await paid_code(front)
    await front.heard_of(order.order_no)
    assert (await front.rotated.channel.query(order, LIMITS)).state is TradeState.CAPTURED
    anew = resent(front, order.order_no, next_keys=True)
    assert front.rotated.channel.read_notification(anew.headers, anew.body).order_no == order.order_no
    with pytest.raises(NotificationRefused, match="signature"):
        front.account.channel.read_notification(anew.headers, anew.body)


async def test_a_notification_is_acknowledged_in_the_fronts_words(front: Shop) -> None:
    words = front.account.channel.acknowledgements
    front.control("PUT", "faults", {"notify_retry_s": [0.1] * 5})
    front.listener.answers = [(words.refused.status, words.refused.body)] * 2
    front.listener.answer = (words.accepted.status, words.accepted.body)
    order = await paid_code(front)
    async with asyncio.timeout(10):
        while True:
            shown = front.told_of(order.order_no)
            if shown["status"] != "waiting":
                break
            await asyncio.sleep(0.05)
    assert (shown["status"], shown["tries"]) == ("acknowledged", 3)
