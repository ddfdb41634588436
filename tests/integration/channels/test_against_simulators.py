"""Every adapter pays, queries, reverses and refunds at its simulator, and reads every magic code as what it is."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.kernel.failures import FailureCode
from gateway.kernel.ids import new_ulid
from gateway.kernel.money import Money
from routing.channels.base import BarcodeCharge, CallLimits, ChannelOrder, ChannelRejected, ChannelUnknown, RefundOrder
from routing.channels.reports import RefundReport, RefundState, ReversalState, TradeReport, TradeState
from tests.integration.channels.conftest import ACCOUNTS, Account

LIMITS = CallLimits(timeout_s=5.0)
SHORT = CallLimits(timeout_s=0.6)
_PREFIXES = {"wechat": ("13", 18), "alipay": ("28", 18), "unionpay": ("62", 19)}
_numbers = itertools.count(1)

CHARGED_THOUGH_UNKNOWN = {
    "9005": "answer_timeout",
    "9006": "answer_cut_short",
    "9008": None,
    "9009": "answer_signature",
    "9012": None,
}
REFUSALS = {
    ("wechat", "9001"): FailureCode.INSUFFICIENT_FUNDS,
    ("wechat", "9002"): FailureCode.AUTH_CODE_EXPIRED,
    ("wechat", "9011"): FailureCode.CHANNEL_REFUSED,
    ("wechat", "9013"): FailureCode.AUTH_CODE_USED,
    ("alipay", "9001"): FailureCode.INSUFFICIENT_FUNDS,
    ("alipay", "9002"): FailureCode.AUTH_CODE_INVALID,
    ("alipay", "9011"): FailureCode.CHANNEL_RISK_DECLINED,
    ("alipay", "9013"): FailureCode.AUTH_CODE_INVALID,
    ("unionpay", "9001"): FailureCode.INSUFFICIENT_FUNDS,
    ("unionpay", "9011"): FailureCode.CHANNEL_RISK_DECLINED,
}


def _charge(account: Account, ending: str = "1234", amount_fen: int = 1280) -> BarcodeCharge:
    prefix, length = _PREFIXES[account.seed.wallet]
    code = f"{prefix}{next(_numbers):0{length - 6}d}{ending}"
    order = ChannelOrder(f"MS{new_ulid()}", datetime.now(UTC), Money(amount_fen))
    return BarcodeCharge(order, code, "豆浆油条套餐（大份）", "S1", "T0000001", "O1")


async def _until(account: Account, order: ChannelOrder, holds: Callable[[TradeReport], bool]) -> TradeReport:
    async with asyncio.timeout(10):
        while True:
            if holds(report := await account.channel.query(order, LIMITS)):
                return report
            await asyncio.sleep(0.1)


async def _until_given_back(account: Account, refund: RefundOrder) -> RefundReport:
    async with asyncio.timeout(10):
        while True:
            report = await account.channel.query_refund(refund, LIMITS)
            if report.state is not RefundState.PENDING:
                return report
            await asyncio.sleep(0.1)


def _is_decided(report: TradeReport) -> bool:
    return report.state is not TradeState.PENDING


async def _captured(account: Account, amount_fen: int = 1280) -> ChannelOrder:
    charge = _charge(account, amount_fen=amount_fen)
    await account.channel.charge_barcode(charge, LIMITS)
    report = await _until(account, charge.order, _is_decided)
    assert report.state is TradeState.CAPTURED
    return replace(charge.order, channel_trade_no=report.channel_trade_no)


def _refund_of(order: ChannelOrder, amount_fen: int) -> RefundOrder:
    return RefundOrder(order, f"RF{new_ulid()}", Money(amount_fen), datetime.now(UTC), "少了一份")


@pytest.mark.parametrize("name", ACCOUNTS)
async def test_a_charge_is_captured_and_found(name: str, accounts: dict[str, Account]) -> None:
    account = accounts[name]
    charge = _charge(account)
    charged = await account.channel.charge_barcode(charge, LIMITS)
    # UnionPay accepts first and decides later.
    expected = TradeState.PENDING if account.seed.wallet == "unionpay" else TradeState.CAPTURED
    assert charged.state is expected
    found = await _until(account, charge.order, _is_decided)
    assert (found.state, found.amount_fen) == (TradeState.CAPTURED, 1280)
    assert found.channel_trade_no == charged.channel_trade_no
    assert found.paid_at is not None
    assert abs((found.paid_at - datetime.now(UTC)).total_seconds()) < 60
    assert account.charged_fen(charge.order.order_no) == [1280]


@pytest.mark.parametrize("name", ACCOUNTS)
async def test_an_order_that_was_never_sent_is_not_found_by_query_and_reversal(
    name: str, accounts: dict[str, Account]
) -> None:
    account = accounts[name]
    order = _charge(account).order
    assert (await account.channel.query(order, LIMITS)).state is TradeState.NOT_FOUND
    assert (await account.channel.reverse(order, LIMITS)).state is ReversalState.NOT_FOUND


@pytest.mark.parametrize("name", ACCOUNTS)
async def test_a_captured_order_can_be_reversed_twice_and_is_closed(name: str, accounts: dict[str, Account]) -> None:
    account = accounts[name]
    order = await _captured(account)
    for _ in range(2):
        report = await account.channel.reverse(order, LIMITS)
        assert report.state in {ReversalState.REVERSED, ReversalState.ACCEPTED}
    assert (await account.channel.query(order, LIMITS)).state is TradeState.CLOSED


@pytest.mark.parametrize("name", ACCOUNTS)
async def test_a_refund_can_be_repeated_and_is_made_once(name: str, accounts: dict[str, Account]) -> None:
    account = accounts[name]
    refund = _refund_of(await _captured(account), 280)
    for _ in range(2):
        report = await account.channel.refund(refund, LIMITS)
        assert report.state in {RefundState.SUCCEEDED, RefundState.PENDING}
    found = await _until_given_back(account, refund)
    assert (found.state, found.amount_fen) == (RefundState.SUCCEEDED, 280)


@pytest.mark.parametrize("name", ACCOUNTS)
async def test_a_whole_capture_can_be_voided(name: str, accounts: dict[str, Account]) -> None:
    account = accounts[name]
    void = _refund_of(await _captured(account, 999), 999)
    assert (await account.channel.void(void, LIMITS)).state in {RefundState.SUCCEEDED, RefundState.PENDING}
    found = await _until_given_back(account, void)
    assert (found.state, found.amount_fen) == (RefundState.SUCCEEDED, 999)


@pytest.mark.parametrize("name", ACCOUNTS)
async def test_a_refund_that_was_never_sent_is_not_found(name: str, accounts: dict[str, Account]) -> None:
    account = accounts[name]
    refund = _refund_of(await _captured(account), 1)
    assert (await account.channel.query_refund(refund, LIMITS)).state is RefundState.NOT_FOUND


@pytest.mark.parametrize("name", ACCOUNTS)
async def test_more_than_was_paid_is_not_given_back(name: str, accounts: dict[str, Account]) -> None:
    account = accounts[name]
    with pytest.raises(ChannelRejected):
        await account.channel.refund(_refund_of(await _captured(account), 1281), LIMITS)


@pytest.mark.parametrize("ending", ["9001", "9002", "9011", "9013"])
@pytest.mark.parametrize("name", ACCOUNTS)
async def test_a_refused_charge_is_rejected_or_found_refused(
    name: str, ending: str, accounts: dict[str, Account]
) -> None:
    account = accounts[name]
    charge = _charge(account, ending)
    try:
        await account.channel.charge_barcode(charge, LIMITS)
    except ChannelRejected as rejection:
        failure: FailureCode | None = rejection.failure
    else:
        assert account.seed.wallet == "unionpay"
        failure = (await _until(account, charge.order, _is_decided)).failure
    expected = REFUSALS.get((account.seed.wallet, ending))
    assert failure is not None
    assert expected is None or failure is expected
    after = await account.channel.query(charge.order, LIMITS)
    assert after.state in {TradeState.REFUSED, TradeState.CLOSED, TradeState.NOT_FOUND}


@pytest.mark.parametrize("ending", CHARGED_THOUGH_UNKNOWN)
@pytest.mark.parametrize("name", ACCOUNTS)
async def test_a_charge_without_a_good_answer_is_unknown_and_found_captured_once(
    name: str, ending: str, accounts: dict[str, Account]
) -> None:
    account = accounts[name]
    charge = _charge(account, ending)
    with pytest.raises(ChannelUnknown) as caught:
        await account.channel.charge_barcode(charge, SHORT)
    assert CHARGED_THOUGH_UNKNOWN[ending] in {None, caught.value.code}
    found = await _until(account, charge.order, _is_decided)
    assert (found.state, found.amount_fen) == (TradeState.CAPTURED, 1280)
    assert account.charged_fen(charge.order.order_no) == [1280]


@pytest.mark.parametrize("name", ACCOUNTS)
async def test_a_wrong_amount_is_passed_back_as_the_channel_states_it(name: str, accounts: dict[str, Account]) -> None:
    account = accounts[name]
    charge = _charge(account, "9010")
    await account.channel.charge_barcode(charge, LIMITS)
    found = await _until(account, charge.order, _is_decided)
    assert (found.state, found.amount_fen) == (TradeState.CAPTURED, 1281)


@pytest.mark.parametrize("name", ACCOUNTS)
async def test_a_charge_that_got_lost_is_unknown_and_not_found(name: str, accounts: dict[str, Account]) -> None:
    account = accounts[name]
    charge = _charge(account, "9015")
    with pytest.raises(ChannelUnknown):
        await account.channel.charge_barcode(charge, SHORT)
    assert (await account.channel.query(charge.order, LIMITS)).state is TradeState.NOT_FOUND
    assert (await account.channel.reverse(charge.order, LIMITS)).state is ReversalState.NOT_FOUND


@pytest.mark.parametrize("name", ACCOUNTS)
async def test_a_customer_who_never_answers_leaves_the_order_pending_until_it_is_reversed(
    name: str, accounts: dict[str, Account]
) -> None:
    account = accounts[name]
    charge = _charge(account, "9004")
    assert (await account.channel.charge_barcode(charge, LIMITS)).state is TradeState.PENDING
    assert (await account.channel.query(charge.order, LIMITS)).state is TradeState.PENDING
    await account.channel.reverse(charge.order, LIMITS)
    assert (await account.channel.query(charge.order, LIMITS)).state is TradeState.CLOSED


@pytest.mark.parametrize(
    ("ending", "states"),
    [("9003", {TradeState.CAPTURED}), ("9014", {TradeState.REFUSED, TradeState.CLOSED})],
    ids=["right PIN", "refused"],
)
async def test_a_customer_who_answers_after_three_seconds_decides_the_order(
    ending: str, states: set[TradeState], accounts: dict[str, Account]
) -> None:
    async def pay(account: Account) -> TradeReport:
        charge = _charge(account, ending)
        assert (await account.channel.charge_barcode(charge, LIMITS)).state is TradeState.PENDING
        return await _until(account, charge.order, _is_decided)

    for report in await asyncio.gather(*[pay(account) for account in accounts.values()]):
        assert report.state in states


@pytest.mark.long
async def test_an_order_that_appears_late_is_found_late(accounts: dict[str, Account]) -> None:
    async def pay(account: Account) -> TradeReport:
        charge = _charge(account, "9007")
        with pytest.raises(ChannelUnknown):
            await account.channel.charge_barcode(charge, SHORT)
        assert (await account.channel.query(charge.order, LIMITS)).state is TradeState.NOT_FOUND
        await asyncio.sleep(20)
        return await _until(account, charge.order, lambda report: report.state is TradeState.CAPTURED)

    for report in await asyncio.gather(*[pay(account) for account in accounts.values()]):
        assert report.amount_fen == 1280


@pytest.mark.parametrize("name", ACCOUNTS)
async def test_many_charges_at_once_are_each_captured_once(name: str, accounts: dict[str, Account]) -> None:
    account = accounts[name]
    charges = [_charge(account) for _ in range(50)]
    await asyncio.gather(*[account.channel.charge_barcode(charge, LIMITS) for charge in charges])
    found = await asyncio.gather(*[_until(account, charge.order, _is_decided) for charge in charges])
    assert {report.state for report in found} == {TradeState.CAPTURED}
    assert len({report.channel_trade_no for report in found}) == 50
