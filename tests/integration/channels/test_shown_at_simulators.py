"""WeChat Pay and Alipay from end to end: codes and pages that customers pay, notifications, refunds, statements."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from gateway.kernel.clock import BEIJING
from gateway.kernel.money import Money
from routing.channels.base import (
    BarcodeCharge,
    ChannelRejected,
    ChannelUnknown,
    PageOrder,
)
from routing.channels.notifications import NotificationRefused
from routing.channels.reports import CloseState, RefundState, TradeReport, TradeState
from routing.channels.statements import StatementKind
from routing.channels.transport import HttpTransport
from routing.simulators.provision import AccountSeed
from tests.integration.channels.conftest import opened
from tests.integration.channels.shop import LIMITS, Shop, code_order, paid_code, refund_of, until_given_back
from tests.unit.simulators.listener import Listener, listening

SHOPS = ("wechat_direct", "alipay_direct")
CODES = {"wechat": "code", "alipay": "auth_code"}


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as server:
        yield server


@pytest.fixture(params=SHOPS)
async def shop(
    request: pytest.FixtureRequest, seeds: dict[str, AccountSeed], transport: HttpTransport, listener: Listener
) -> AsyncIterator[Shop]:
    """Each account in turn."""
    name = str(request.param)
    account, rotated = [opened(seeds[each], transport, notify_url=listener.url()) for each in (name, f"{name}_rotated")]
    made = Shop(account, rotated, listener)
    yield made
    made.control("DELETE", "faults")


async def test_a_code_is_paid_notified_refunded_and_stands_in_the_statement(shop: Shop) -> None:
    channel = shop.account.channel
    order = await paid_code(shop)
    found = await channel.query(order, LIMITS)
    assert (found.state, found.amount_fen) == (TradeState.CAPTURED, 1280)
    [told] = await shop.heard_of(order.order_no)
    assert told.trade is not None
    assert _facts(told.trade) == _facts(found)

    order = replace(order, channel_trade_no=found.channel_trade_no)
    refund = refund_of(order, 280)
    await channel.refund(refund, LIMITS)
    given_back = await until_given_back(shop, refund)
    assert (given_back.state, given_back.amount_fen) == (RefundState.SUCCEEDED, 280)
    [told] = await shop.heard_of(refund.refund_no)
    assert told.order_no == order.order_no
    assert told.refund is not None
    # Alipay tells the sum of all refunds: a reason to ask, and no outcome.
    expected = RefundState.SUCCEEDED if shop.wallet == "wechat" else RefundState.PENDING
    assert told.refund.state is expected

    statement = await channel.statement(_day_of(found), LIMITS)
    assert statement is not None
    lines = [line for line in statement.lines if line.order_no == order.order_no]
    assert [(line.kind, line.amount_fen, line.refund_no) for line in lines] == [
        (StatementKind.PAYMENT, 1280, None),
        (StatementKind.REFUND, 280, refund.refund_no),
    ]
    assert {line.channel_trade_no for line in lines} == {found.channel_trade_no}
    assert [line.fee_fen for line in lines] == [5, 1]  # 0.38 % of each, half up


def _facts(report: TradeReport) -> tuple[object, ...]:
    """What a query and a notification must agree in."""
    return report.state, report.channel_trade_no, report.amount_fen, report.payer_paid_fen, report.paid_at


async def test_what_was_reversed_stands_in_the_statement_without_a_number_of_ours(shop: Shop) -> None:
    channel, code = shop.account.channel, code_order(999)
    auth_code = {"wechat": "13", "alipay": "28"}[shop.wallet] + f"{time.time_ns() % 10**12:012d}1234"
    charged = await channel.charge_barcode(BarcodeCharge(code.order, auth_code, code.description), LIMITS)
    await channel.reverse(code.order, LIMITS)
    statement = await channel.statement(_day_of(charged), LIMITS)
    assert statement is not None
    lines = [line for line in statement.lines if line.order_no == code.order.order_no]
    assert [(line.kind, line.amount_fen, line.refund_no) for line in lines] == [
        (StatementKind.PAYMENT, 999, None),
        (StatementKind.REFUND, 999, None),
    ]


def _day_of(report: TradeReport) -> date:
    assert report.paid_at is not None
    return report.paid_at.astimezone(BEIJING).date()


async def test_a_day_without_payments_has_no_statement(shop: Shop) -> None:
    day = datetime.now(BEIJING).date() - timedelta(days=40)
    assert await shop.account.channel.statement(day, LIMITS) is None


async def test_the_same_order_asked_for_again_is_paid_once(shop: Shop) -> None:
    code = code_order()
    first, second = [await shop.account.channel.create_code(code, LIMITS) for _ in range(2)]
    shop.scan(second.qr_code)
    for shown in {first.qr_code, second.qr_code}:
        shop.scan(shown, status=404 if shown != second.qr_code else 409)
    assert shop.account.charged_fen(code.order.order_no) == [1280]
    with pytest.raises(ChannelUnknown):
        await shop.account.channel.create_code(code, LIMITS)


async def test_the_same_number_for_another_sale_is_unknown_and_no_refusal(shop: Shop) -> None:
    """Something stands under our number, so nothing may be concluded of what nobody pays."""
    code = code_order()
    await shop.account.channel.create_code(code, LIMITS)
    other = replace(code, order=replace(code.order, amount=Money(1)))
    with pytest.raises(ChannelUnknown):
        await shop.account.channel.create_code(other, LIMITS)


async def test_a_code_that_nobody_paid_is_closed_and_cannot_be_paid(shop: Shop) -> None:
    channel, code = shop.account.channel, code_order()
    shown = await channel.create_code(code, LIMITS)
    if shop.wallet == "alipay":
        # There is no trade before a customer opens the code, so there is nothing to close either.
        assert (await channel.query(code.order, LIMITS)).state is TradeState.NOT_FOUND
        assert (await channel.close(code.order, LIMITS)).state is CloseState.NOT_FOUND
        shop.scan(shown.qr_code, action="scan")
    assert (await channel.query(code.order, LIMITS)).state is TradeState.PENDING
    for _ in range(2):
        assert (await channel.close(code.order, LIMITS)).state in {CloseState.CLOSED, CloseState.PAID}
    assert (await channel.query(code.order, LIMITS)).state is TradeState.CLOSED
    assert shop.scan(shown.qr_code, status=409)["error"] == "closed"
    assert not shop.listener.heard


async def test_a_code_that_was_paid_is_not_closed(shop: Shop) -> None:
    order = await paid_code(shop)
    assert (await shop.account.channel.close(order, LIMITS)).state is CloseState.PAID
    assert (await shop.account.channel.query(order, LIMITS)).state is TradeState.CAPTURED


async def test_an_order_that_never_was_is_not_found_by_a_close(shop: Shop) -> None:
    assert (await shop.account.channel.close(code_order().order, LIMITS)).state is CloseState.NOT_FOUND


def _redirected(shop: Shop, payer: str) -> dict[str, list[str]]:
    """What a payer's browser brings back from the page that identifies it."""
    url = shop.account.channel.authorize_url("https://pay.example/q/sAb?x=1", "st4te")
    address, hash_sign, fragment = url.partition("#")
    answer = httpx.get(f"{address}&payer={payer}{hash_sign}{fragment}", trust_env=False)
    assert answer.status_code == 302, answer.text
    back = urlsplit(answer.headers["location"])
    assert (back.netloc, back.path) == ("pay.example", "/q/sAb")
    return parse_qs(back.query)


async def _identified(shop: Shop, payer: str) -> str:
    brought = _redirected(shop, payer)
    assert (brought["state"], brought["x"]) == (["st4te"], ["1"])
    return await shop.account.channel.identify_payer(brought[CODES[shop.wallet]][0], "", LIMITS)


async def test_a_payer_is_the_same_each_time_and_a_code_is_good_once(shop: Shop) -> None:
    first, again, other = [await _identified(shop, payer) for payer in ("alice", "alice", "bob")]
    assert first == again != other
    code = _redirected(shop, "alice")[CODES[shop.wallet]][0]
    await shop.account.channel.identify_payer(code, "", LIMITS)
    for spent in (code, "never-given-out"):
        with pytest.raises(ChannelRejected):
            await shop.account.channel.identify_payer(spent, "", LIMITS)


def _script_of(bridge_url: str) -> str:
    """The stand-in of the wallet's bridge."""
    answer = httpx.get(bridge_url, trust_env=False)
    assert answer.headers["content-type"].startswith("text/javascript")
    return answer.text


def _pay_in_page(shop: Shop, bridge: dict[str, str]) -> dict[str, Any]:
    """What the wallet does with what the page calls its bridge with."""
    place, document = (
        ("bridge/pay", bridge)
        if shop.wallet == "wechat"
        else ("bridge/trade", {"trade_no": bridge["tradeNO"], "action": "pay"})
    )
    url = f"{shop.account.simulator_url}/_simulator/{place}"
    answer = httpx.post(url, json=document, trust_env=False)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_a_page_order_is_paid_in_the_wallet_by_the_payer_that_was_identified(shop: Shop) -> None:
    channel, code = shop.account.channel, code_order(2000)
    payer_id = await _identified(shop, "alice")
    page = PageOrder(code, payer_id, "https://pay.example/q/sAb")
    report = await channel.create_page_order(page, LIMITS)
    assert _script_of(report.bridge_url)
    assert (await channel.query(code.order, LIMITS)).state is TradeState.PENDING
    assert "error" not in _pay_in_page(shop, dict(report.bridge))
    found = await channel.query(code.order, LIMITS)
    assert (found.state, found.amount_fen) == (TradeState.CAPTURED, 2000)
    if shop.wallet == "wechat":
        assert found.payer_id == payer_id
    else:
        assert found.channel_trade_no == report.channel_trade_no
    [told] = await shop.heard_of(code.order.order_no)
    assert told.trade is not None
    assert _facts(told.trade) == _facts(found)


async def test_a_page_whose_call_was_changed_is_not_paid(shop: Shop) -> None:
    code = code_order(2000)
    page = PageOrder(code, await _identified(shop, "alice"), "https://pay.example/q/sAb")
    report = await shop.account.channel.create_page_order(page, LIMITS)
    changed = {name: f"{text[:-3]}000" for name, text in report.bridge.items()}
    answer = _pay_in_page(shop, changed)
    assert answer.get("error") or answer["result_code"] == "4000"
    assert (await shop.account.channel.query(code.order, LIMITS)).state is TradeState.PENDING


async def test_forged_notifications_are_refused_and_mistaken_ones_are_read_as_they_are(shop: Shop) -> None:
    order = await paid_code(shop)
    [told] = await shop.heard_of(order.order_no)
    notification_id, channel = shop.told_of(order.order_no)["id"], shop.account.channel
    again = shop.resent(notification_id)
    assert channel.read_notification(again.headers, again.body).id == told.id
    for tamper, reason in (("signature", "signature"), ("merchant", "wrong_account")):
        forged = shop.resent(notification_id, tamper=tamper)
        with pytest.raises(NotificationRefused, match=reason):
            channel.read_notification(forged.headers, forged.body)
    probe = shop.resent(notification_id, signtest=True)
    with pytest.raises(NotificationRefused, match="probe" if shop.wallet == "wechat" else "signature"):
        channel.read_notification(probe.headers, probe.body)
    for tamper in ("amount", "order"):
        mistaken = shop.resent(notification_id, tamper=tamper)
        read = channel.read_notification(mistaken.headers, mistaken.body)
        assert read.trade is not None
        assert (read.order_no != order.order_no, read.trade.amount_fen != 1280) == (
            tamper == "order",
            tamper == "amount",
        )


async def test_an_old_notification_of_wechat_pay_is_stale_and_alipays_are_as_old_as_they_like(shop: Shop) -> None:
    order = await paid_code(shop)
    await shop.heard_of(order.order_no)
    old = shop.resent(shop.told_of(order.order_no)["id"], age_s=600)
    if shop.wallet == "wechat":
        with pytest.raises(NotificationRefused, match="stale"):
            shop.account.channel.read_notification(old.headers, old.body)
    else:
        assert shop.account.channel.read_notification(old.headers, old.body).order_no == order.order_no


async def test_after_a_rotation_the_new_keys_read_what_the_new_keys_signed(shop: Shop) -> None:
    order = await paid_code(shop)
    await shop.heard_of(order.order_no)
    signed_anew = shop.resent(shop.told_of(order.order_no)["id"], next_keys=True)
    with pytest.raises(NotificationRefused, match="unknown_key" if shop.wallet == "wechat" else "signature"):
        shop.account.channel.read_notification(signed_anew.headers, signed_anew.body)
    assert shop.rotated.channel.read_notification(signed_anew.headers, signed_anew.body).order_no == order.order_no
    assert (await shop.rotated.channel.query(order, LIMITS)).state is TradeState.CAPTURED


async def test_a_notification_comes_again_until_it_is_acknowledged_in_the_channels_words(shop: Shop) -> None:
    words = shop.account.channel.acknowledgements
    shop.control("PUT", "faults", {"notify_retry_s": [0.1] * 5})
    shop.listener.answers = [(words.refused.status, words.refused.body)] * 2
    shop.listener.answer = (words.accepted.status, words.accepted.body)
    order = await paid_code(shop)
    told = await shop.heard_of(order.order_no, 3)
    assert len({item.id for item in told}) == 1
    async with asyncio.timeout(10):
        while True:
            if (shown := shop.told_of(order.order_no))["status"] != "waiting":
                break
            await asyncio.sleep(0.05)
    assert (shown["status"], shown["tries"]) == ("acknowledged", 3)


async def test_a_refund_of_wechat_pay_that_cannot_arrive_waits_for_a_person(
    seeds: dict[str, AccountSeed], transport: HttpTransport, listener: Listener
) -> None:
    account = opened(seeds["wechat_direct"], transport, notify_url=listener.url())
    shop = Shop(account, account, listener)
    ends = {"abnormal": (RefundState.PENDING, True), "closed": (RefundState.FAILED, False)}
    for outcome, (state, abnormal) in ends.items():
        order = await paid_code(shop)
        shop.control("PUT", "faults", {"rules": [{"kind": "refund_ends", "as": outcome, "times": 1}]})
        refund = refund_of(order, 280)
        await account.channel.refund(refund, LIMITS)
        [told] = await shop.heard_of(refund.refund_no)
        found = await account.channel.query_refund(refund, LIMITS)
        assert told.refund is not None
        for report in (found, told.refund):
            assert (report.state, report.abnormal, report.amount_fen) == (state, abnormal, 280)
    shop.control("DELETE", "faults")


async def test_refunds_of_wechat_pay_are_one_a_minute(
    seeds: dict[str, AccountSeed], transport: HttpTransport, listener: Listener
) -> None:
    shop = Shop(account := opened(seeds["wechat_direct"], transport, notify_url=listener.url()), account, listener)
    order = await paid_code(shop)
    await account.channel.refund(refund_of(order, 100), LIMITS)
    with pytest.raises(ChannelUnknown):  # a limit of frequency does not prove that nothing was accepted
        await account.channel.refund(replace(refund_of(order, 100), refund_no=f"{order.order_no}F02"), LIMITS)


async def test_a_code_has_an_end_at_the_channel(shop: Shop) -> None:
    code = replace(code_order(), pay_until=datetime.now(UTC) + timedelta(hours=1, seconds=30))
    await shop.account.channel.create_code(code, LIMITS)
    answer = shop.control("GET", f"trades?order_no={code.order.order_no}")
    end = datetime.fromisoformat(answer["trades"][0]["pay_until"])
    assert abs((end - code.pay_until).total_seconds()) <= 1
