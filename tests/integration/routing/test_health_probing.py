"""Accounts with an open breaker are asked by a query, about once a second by all processes together."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import pytest

from gateway.database.valkey import Valkey
from gateway.kernel.failures import FailureCode
from routing.accounts.book import Account, AccountStatus
from routing.channels.base import (
    CallLimits,
    ChannelError,
    ChannelOrder,
    ChannelRejected,
    ChannelUnknown,
    ChannelUnsent,
    Wallet,
)
from routing.channels.reports import TradeReport
from routing.health.health import Health
from routing.health.probing import Prober
from routing.health.running import keeping
from routing.health.standing import BreakerState
from routing.health.verdicts import Verdict
from routing.sale import Cell, Method
from tests.support.fake_channel import NOT_FOUND, FakeChannel
from tests.support.routing import account
from tests.support.rows import settings
from tests.support.waiting import until

DATABASE_URL: Final = "postgresql://nobody@/none"
AWAY: Final = "redis://127.0.0.1:1/0"


class Asked(FakeChannel):
    """A channel that remembers the orders it was asked for, and may take for ever to answer."""

    is_silent = False

    async def query(self, order: ChannelOrder, limits: CallLimits) -> TradeReport:
        if self.is_silent:
            await asyncio.sleep(limits.timeout_s)
            raise ChannelUnknown("answer_timeout")
        return await super().query(order, limits)


class Book:
    """Accounts in memory."""

    def __init__(self, accounts: Mapping[str, Account]) -> None:
        self.accounts = accounts

    def get(self, account_id: str) -> Account | None:
        return self.accounts.get(account_id)


def account_of(account_id: str, channel: FakeChannel, status: AccountStatus = AccountStatus.ENABLED) -> Account:
    made: Any = account(account_id, status=status)
    object.__setattr__(made, "channel", channel)
    return made


def cell(account_id: str) -> Cell:
    return Cell(account_id, Wallet.WECHAT, Method.BARCODE)


def open_(health: Health, account_id: str) -> None:
    for _ in range(12):
        health.begin(cell(account_id)).end(Verdict.FAULT)
    assert health.standing(cell(account_id)).state is BreakerState.OPEN


@pytest.fixture
async def valkey(redis_url: str) -> AsyncIterator[Valkey]:
    opened = Valkey(settings(DATABASE_URL, redis_url))
    await opened.call("FLUSHDB")
    yield opened
    await opened.aclose()


async def test_an_account_that_answers_is_half_open_after_a_second_and_is_asked_no_more(valkey: Valkey) -> None:
    channel, health = Asked(queries=[NOT_FOUND]), Health()
    async with keeping(health, valkey, Book({"front": account_of("front", channel)})):
        await asyncio.sleep(0.6)
        assert not channel.calls, "nobody asks an account that is well"
        open_(health, "front")
        await until(lambda: health.standing(cell("front")).state is BreakerState.HALF_OPEN)
        asked = len(channel.calls)
        await asyncio.sleep(0.6)
        assert len(channel.calls) == asked
    orders = [order for _, order in channel.calls if isinstance(order, ChannelOrder)]
    assert len({order.order_no for order in orders}) == len(orders) == asked
    assert all(order.order_no.isalnum() and 8 <= len(order.order_no) <= 32 for order in orders)


@pytest.mark.parametrize(
    "answer",
    [
        ChannelUnsent("connect_failed"),
        ChannelUnknown("http_502"),
        ChannelRejected("SIGN_ERROR", FailureCode.CHANNEL_MISCONFIGURED),
    ],
)
async def test_an_account_that_does_not_answer_well_is_asked_each_second_and_stays_open(
    valkey: Valkey, answer: ChannelError
) -> None:
    channel, health = Asked(queries=[answer]), Health()
    async with keeping(health, valkey, Book({"front": account_of("front", channel)})):
        open_(health, "front")
        await until(lambda: len(channel.calls) >= 3)
        assert health.standing(cell("front")).state is BreakerState.OPEN


async def test_one_silent_account_keeps_no_other_waiting(valkey: Valkey) -> None:
    silent, well, health = Asked(), Asked(queries=[NOT_FOUND]), Health()
    silent.is_silent = True
    book = Book({"silent": account_of("silent", silent), "well": account_of("well", well)})
    async with keeping(health, valkey, book):
        open_(health, "silent")
        open_(health, "well")
        await until(lambda: health.standing(cell("well")).state is BreakerState.HALF_OPEN)
        assert health.standing(cell("silent")).state is BreakerState.OPEN


async def test_two_processes_ask_no_more_often_than_one(valkey: Valkey) -> None:
    channel = Asked(queries=[ChannelUnknown("http_502")])
    book = Book({"front": account_of("front", channel)})
    healths = [Health(), Health()]
    async with contextlib.AsyncExitStack() as stack:
        for health in healths:
            open_(health, "front")
            await stack.enter_async_context(keeping(health, valkey, book))
        await until(lambda: len(channel.calls) >= 1)
        began = len(channel.calls)
        await asyncio.sleep(3.0)
        assert 2 <= len(channel.calls) - began <= 4
        assert all(health.standing(cell("front")).state is BreakerState.OPEN for health in healths)


async def test_without_valkey_each_process_asks_by_itself() -> None:
    channel, health = Asked(queries=[NOT_FOUND]), Health()
    nowhere = Valkey(settings(DATABASE_URL, AWAY))
    async with keeping(health, nowhere, Book({"front": account_of("front", channel)})):
        open_(health, "front")
        await until(lambda: health.standing(cell("front")).state is BreakerState.HALF_OPEN)
    await nowhere.aclose()


async def test_accounts_that_are_gone_or_disabled_are_not_asked(valkey: Valkey) -> None:
    channel, health = Asked(queries=[NOT_FOUND]), Health()
    book = Book({"off": account_of("off", channel, AccountStatus.DISABLED)})
    prober = Prober(book, health, valkey)
    open_(health, "off")
    open_(health, "gone")
    prober.look()
    await asyncio.sleep(0.1)
    assert not channel.calls
    assert not prober._asking


async def test_many_dead_accounts_are_asked_a_bounded_number_at_a_time_and_each_in_its_turn(valkey: Valkey) -> None:
    health, channels, now = Health(), {f"acc_{number}": Asked() for number in range(70)}, [100.0]
    for channel in channels.values():
        channel.is_silent = True
    book = Book({id_: account_of(id_, channel) for id_, channel in channels.items()})
    for id_ in channels:
        open_(health, id_)
    prober = Prober(book, health, valkey, lambda: now[0])
    asked: set[str] = set()
    for _ in range(4):
        prober.look()
        assert len(prober._asking) <= 32
        asked |= set(prober._asking)
        tasks = list(prober._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        now[0] += 1.0
    assert asked == set(channels)
