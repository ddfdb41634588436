"""UnionPay from end to end: codes, pages, payers, notifications, refunds, voids, reversals and statements."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from gateway.kernel.clock import BEIJING
from gateway.kernel.failures import FailureCode
from gateway.kernel.ids import new_ulid
from gateway.kernel.money import Money
from routing.channels.base import (
    BarcodeCharge,
    ChannelOrder,
    ChannelRejected,
    ChannelUnknown,
    CodeOrder,
    PageOrder,
    RefundOrder,
)
from routing.channels.notifications import NotificationRefused
from routing.channels.reports import CloseState, RefundState, TradeReport, TradeState
from routing.channels.statements import StatementKind
from routing.channels.transport import HttpTransport
from routing.simulators.provision import AccountSeed
from tests.integration.channels.conftest import Account, opened
from tests.integration.channels.shop import LIMITS, Shop, paid_code, refund_of, until_given_back
from tests.unit.simulators.listener import Heard, Listener, listening

APP = "UnionPay/1.0 CloudPay"
BACK = "https://pay.example/q/sAb?x=1"


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as server:
        yield server


@pytest.fixture(params=["unionpay_direct", "unionpay_keyed"])
def merchant(
    request: pytest.FixtureRequest, seeds: dict[str, AccountSeed], transport: HttpTransport, listener: Listener
) -> Iterator[Shop]:
    """The account that signs by certificate, then the one with a secret key."""
    names = (request.param, f"{request.param}_rotated")
    account, rotated = [opened(seeds[name], transport, notify_url=listener.url()) for name in names]
    yield Shop(account, rotated, listener)
    httpx.delete(f"{account.simulator_url}/_simulator/faults", trust_env=False)


def code_of(amount_fen: int = 1280, *, open_s: float = 300) -> CodeOrder:
    """A code of a new order, good for so long."""
    now = datetime.now(UTC)
    order = ChannelOrder(f"{new_ulid()}A1", now, Money(amount_fen))
    return CodeOrder(order, "拿铁", now + timedelta(seconds=open_s), "S1", "T0000001", "O1")


def void_of(order: ChannelOrder) -> RefundOrder:
    """The whole of a paid order, taken back."""
    return replace(refund_of(order, order.amount.amount_fen), refund_no=f"{order.order_no}R")


async def until(account: Account, order: ChannelOrder, holds: Callable[[TradeReport], bool]) -> TradeReport:
    async with asyncio.timeout(10):
        while True:
            if holds(report := await account.channel.query(order, LIMITS)):
                return report
            await asyncio.sleep(0.1)


async def captured_code(merchant: Shop, amount_fen: int = 1280) -> ChannelOrder:
    """A code that was paid, known by its queryId."""
    order = await paid_code(merchant, amount_fen)
    found = await until(merchant.account, order, lambda report: report.state is TradeState.CAPTURED)
    return replace(order, channel_trade_no=found.channel_trade_no)


def browser(shop: Shop) -> httpx.AsyncClient:
    """The customer's browser."""
    return httpx.AsyncClient(base_url=shop.account.simulator_url, trust_env=False)


def resent(shop: Shop, order: ChannelOrder, **forging: object) -> Heard:
    """The order's notification as it comes once more, forged as asked."""
    return shop.resent(shop.told_of(order.order_no)["id"], **forging)


def facts(report: TradeReport | None) -> tuple[object, ...]:
    """What a query and a notification must agree in."""
    assert report is not None
    return report.state, report.channel_trade_no, report.amount_fen, report.payer_paid_fen


async def test_a_code_is_paid_notified_refunded_and_stands_in_the_statement(merchant: Shop) -> None:
    channel = merchant.account.channel
    order = await captured_code(merchant)
    found = await channel.query(order, LIMITS)
    assert (found.state, found.amount_fen) == (TradeState.CAPTURED, 1280)
    [told] = await merchant.heard_of(order.order_no)
    assert (told.order_no, told.refund) == (order.order_no, None)
    assert facts(told.trade) == facts(found)
    assert merchant.account.charged_fen(order.order_no) == [1280]

    refund = refund_of(order, 280)
    assert (await channel.refund(refund, LIMITS)).state is RefundState.PENDING
    assert (await until_given_back(merchant, refund)).state is RefundState.SUCCEEDED
    [told] = await merchant.heard_of(refund.refund_no)
    assert (told.order_no, told.trade) == (order.order_no, None)
    assert told.refund is not None
    assert (told.refund.state, told.refund.amount_fen) == (RefundState.SUCCEEDED, 280)

    day = (datetime.now(BEIJING) + timedelta(hours=1)).date()  # settlement dates end at 23:00
    statement = await channel.statement(day, LIMITS)
    assert statement is not None
    lines = [line for line in statement.lines if line.order_no == order.order_no]
    assert [(line.kind, line.amount_fen, line.refund_no) for line in lines] == [
        (StatementKind.PAYMENT, 1280, None),
        (StatementKind.REFUND, 280, refund.refund_no),
    ]
    assert [line.fee_fen for line in lines] == [5, 1]  # 0.38 % of 1280 half up, and its share of 280
    assert lines[0].channel_trade_no == order.channel_trade_no
    assert abs((lines[0].at - datetime.now(UTC)).total_seconds()) < 60


async def test_a_void_and_a_reversal_stand_in_the_statement_as_what_they_are(merchant: Shop) -> None:
    channel = merchant.account.channel
    voided, reversed_ = await captured_code(merchant, 999), await captured_code(merchant, 998)
    void = void_of(voided)
    await channel.void(void, LIMITS)
    assert (await until_given_back(merchant, void)).state is RefundState.SUCCEEDED
    [told] = await merchant.heard_of(void.refund_no)
    assert told.order_no == voided.order_no
    await channel.reverse(reversed_, LIMITS)
    assert (await channel.query(reversed_, LIMITS)).state is TradeState.CLOSED
    statement = await channel.statement((datetime.now(BEIJING) + timedelta(hours=1)).date(), LIMITS)
    assert statement is not None
    numbers = {voided.order_no: void.refund_no, reversed_.order_no: None}
    for order_no, refund_no in numbers.items():
        lines = [line for line in statement.lines if line.order_no == order_no]
        assert [(line.kind, line.refund_no) for line in lines] == [
            (StatementKind.PAYMENT, None),
            (StatementKind.REFUND, refund_no),
        ]


async def test_a_day_on_which_nothing_was_settled_has_no_statement(merchant: Shop) -> None:
    day = datetime.now(BEIJING).date() - timedelta(days=40)
    assert await merchant.account.channel.statement(day, LIMITS) is None


async def test_the_same_order_asked_for_again_has_the_same_code_and_is_paid_once(merchant: Shop) -> None:
    channel, code = merchant.account.channel, code_of()
    first, second = [await channel.create_code(code, LIMITS) for _ in range(2)]
    assert first == second
    merchant.scan(first.qr_code)
    assert merchant.scan(second.qr_code, status=409)["error"] == "paid"
    with pytest.raises(ChannelUnknown):  # the number is in use: nothing may be concluded
        await channel.create_code(code, LIMITS)
    assert merchant.account.charged_fen(code.order.order_no) == [1280]


async def test_a_code_that_nobody_pays_is_pending_until_its_end_and_then_shut(merchant: Shop) -> None:
    channel, code = merchant.account.channel, code_of(open_s=3)
    shown = await channel.create_code(code, LIMITS)
    assert (await channel.query(code.order, LIMITS)).state is TradeState.PENDING
    assert (await channel.close(code.order, LIMITS)).state is CloseState.UNSUPPORTED
    assert (await channel.query(code.order, LIMITS)).state is TradeState.PENDING
    report = await until(merchant.account, code.order, lambda report: report.state is not TradeState.PENDING)
    assert (report.state, report.failure) == (TradeState.REFUSED, FailureCode.CHANNEL_REFUSED)
    assert datetime.now(UTC) >= code.pay_until.replace(microsecond=0)
    assert merchant.scan(shown.qr_code, status=409)["error"] in {"expired", "closed"}
    assert not merchant.listener.heard


async def redirected(merchant: Shop, payer: str) -> dict[str, list[str]]:
    """What a payer's browser brings back from the page that identifies it."""
    address = merchant.account.channel.authorize_url(BACK, "st4te")
    async with browser(merchant) as client:
        answer = await client.get(f"{address}&payer={payer}")
    assert answer.status_code == 302, answer.text
    back = urlsplit(answer.headers["location"])
    assert (back.netloc, back.path) == ("pay.example", "/q/sAb")
    return parse_qs(back.query)


async def identified(merchant: Shop, payer: str) -> str:
    brought = await redirected(merchant, payer)
    assert (brought["state"], brought["x"], brought["respCode"]) == (["st4te"], ["1"], ["00"])
    return await merchant.account.channel.identify_payer(brought["userAuthCode"][0], APP, LIMITS)


async def test_a_payer_is_the_same_each_time_and_a_code_is_good_once(merchant: Shop) -> None:
    first, again, other = [await identified(merchant, payer) for payer in ("alice", "alice", "bob")]
    assert first == again != other
    code = (await redirected(merchant, "alice"))["userAuthCode"][0]
    await merchant.account.channel.identify_payer(code, APP, LIMITS)
    for spent in (code, "never-given-out"):
        with pytest.raises(ChannelRejected) as caught:
            await merchant.account.channel.identify_payer(spent, APP, LIMITS)
        assert caught.value.failure is FailureCode.AUTH_CODE_EXPIRED


async def test_a_page_order_is_paid_on_unionpays_page_by_the_payer_that_was_identified(merchant: Shop) -> None:
    channel, code = merchant.account.channel, code_of(2000)
    page = PageOrder(code, await identified(merchant, "alice"), BACK, "203.0.113.7", APP)
    report = await channel.create_page_order(page, LIMITS)
    assert report.pay_url is not None
    assert (await channel.query(code.order, LIMITS)).state is TradeState.PENDING
    number = parse_qs(urlsplit(report.pay_url).query)["tn"][0]
    async with browser(merchant) as client:
        assert "20.00" in (await client.get(report.pay_url)).text
        left = await client.post(report.pay_url.partition("?")[0], data={"tn": number, "action": "pay"})
    assert (left.status_code, left.headers["location"]) == (302, BACK)
    found = await until(merchant.account, code.order, lambda report: report.state is TradeState.CAPTURED)
    assert found.amount_fen == 2000
    [told] = await merchant.heard_of(code.order.order_no)
    assert facts(told.trade) == facts(found)


async def test_a_page_for_a_payer_of_nobody_is_refused(merchant: Shop) -> None:
    with pytest.raises(ChannelRejected):
        await merchant.account.channel.create_page_order(PageOrder(code_of(), "nobody", BACK), LIMITS)


async def test_forged_notifications_are_refused_and_mistaken_ones_are_read_as_they_are(merchant: Shop) -> None:
    channel, order = merchant.account.channel, await captured_code(merchant)
    [told] = await merchant.heard_of(order.order_no)
    again = resent(merchant, order)
    assert channel.read_notification(again.headers, again.body).id == told.id
    for forging, reason in (
        ({"tamper": "signature"}, "signature"),
        ({"signtest": True}, "signature"),
        ({"tamper": "merchant"}, "wrong_account"),
    ):
        forged = resent(merchant, order, **forging)
        with pytest.raises(NotificationRefused, match=reason):
            channel.read_notification(forged.headers, forged.body)
    mistaken = channel.read_notification({}, resent(merchant, order, tamper="amount").body)
    assert mistaken.trade is not None
    assert (mistaken.order_no, mistaken.trade.amount_fen) == (order.order_no, 1281)
    assert channel.read_notification({}, resent(merchant, order, tamper="order").body).order_no != told.order_no


async def test_a_notification_for_one_merchant_is_none_for_the_other(
    merchant: Shop, accounts: dict[str, Account]
) -> None:
    order = await captured_code(merchant)
    await merchant.heard_of(order.order_no)
    heard = resent(merchant, order)
    names = {"unionpay_direct", "unionpay_keyed"} - {merchant.account.seed.id}
    with pytest.raises(NotificationRefused):
        accounts[names.pop()].channel.read_notification(heard.headers, heard.body)


async def test_after_a_rotation_either_credentials_work_and_each_reads_what_was_signed_for_it(
    merchant: Shop,
) -> None:
    order = await captured_code(merchant)
    await merchant.heard_of(order.order_no)
    assert (await merchant.rotated.channel.query(order, LIMITS)).state is TradeState.CAPTURED
    anew = resent(merchant, order, next_keys=True)
    assert merchant.rotated.channel.read_notification(anew.headers, anew.body).order_no == order.order_no
    if merchant.account.seed.id == "unionpay_keyed":  # a shared secret signs both ways; UnionPay's certificate stays
        with pytest.raises(NotificationRefused, match="signature"):
            merchant.account.channel.read_notification(anew.headers, anew.body)


async def test_a_notification_is_acknowledged_in_unionpays_words(merchant: Shop) -> None:
    words = merchant.account.channel.acknowledgements
    merchant.control("PUT", "faults", {"notify_retry_s": [0.1] * 5})
    merchant.listener.answers = [(words.refused.status, words.refused.body)] * 2
    merchant.listener.answer = (words.accepted.status, words.accepted.body)
    order = await captured_code(merchant)
    async with asyncio.timeout(10):
        while True:
            shown = merchant.told_of(order.order_no)
            if shown["status"] != "waiting":
                break
            await asyncio.sleep(0.05)
    assert (shown["status"], shown["tries"]) == ("acknowledged", 3)


@pytest.mark.parametrize("wanted", [False, True])
async def test_bar_codes_are_notified_where_the_account_wants_it(
    seeds: dict[str, AccountSeed], transport: HttpTransport, listener: Listener, *, wanted: bool
) -> None:
    settings: dict[str, Any] = {"notify_url": listener.url(), "notify_barcode": wanted}
    account = opened(seeds["unionpay_direct"], transport, **settings)
    order = code_of().order
    await account.channel.charge_barcode(BarcodeCharge(order, f"62{new_number()}", "豆浆"), LIMITS)
    found = await until(account, order, lambda report: report.state is TradeState.CAPTURED)
    merchant = Shop(account, account, listener)
    if wanted:
        [told] = await merchant.heard_of(order.order_no)
        assert facts(told.trade) == facts(found)
    else:
        assert merchant.control("GET", f"notifications?order_no={order.order_no}")["notifications"] == []


def new_number() -> str:
    """17 digits that no other test uses and that are no magic ones."""
    return f"{int(datetime.now(UTC).timestamp() * 1_000_000) % 10**13:013d}1234"
