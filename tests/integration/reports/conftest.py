"""A shop whose days the tests make up: payments and refunds at any time and till, through the real statements."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any, TypeVar

import asyncpg
import pytest

from gateway.database.intents import IntentRow, intent_batch
from gateway.database.outcomes import outcome_batch
from gateway.database.partitions import ensure_partitions
from gateway.database.pool import open_pool
from gateway.kernel.clock import Deadline
from gateway.kernel.ids import new_id, new_ulid
from gateway.kernel.money import Money
from gateway.kernel.secrets import Vault
from gateway.ledger import postings
from gateway.payments import settle
from gateway.payments.states import Event
from gateway.payments.store import PaymentStore
from gateway.refunds.desk import RefundDesk
from gateway.refunds.refund import Refund, RefundOrder
from gateway.refunds.schemas import RefundRequest
from gateway.reports.shift import Period, ShiftReport, Till
from gateway.reports.store import ReportStore
from routing.accounts.book import AccountBook, save_account
from routing.channels.base import Wallet
from routing.channels.reports import RefundReport, RefundState
from tests.support.fake_channel import FakeChannel
from tests.support.rows import MASTER_KEY, fee_of, intent, outcome, settings

Result = TypeVar("Result")
ANY = Till()


class Shop:
    """One merchant at a time; `run` works on a loop of its own, so that hypothesis can drive it."""

    def __init__(self, database_url: str) -> None:
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self.merchant_id = new_id("mer")
        self.run(self._open(database_url))

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self._runner.run(work)

    def close(self) -> None:
        self.run(self._stack.aclose())
        self._runner.close()

    async def _open(self, database_url: str) -> None:
        self.pool: asyncpg.Pool = await open_pool(settings(database_url))
        self._stack.push_async_callback(self.pool.close)
        vault = Vault(MASTER_KEY)
        await save_account(self.pool, vault, "wechat_direct", channel="fake", wallets=[Wallet.WECHAT], settings={})
        accounts = AccountBook(self.pool, vault, lambda *_: FakeChannel())
        await accounts.reload()
        self.store = PaymentStore(self.pool, vault)
        self.refunds = RefundDesk(self.pool, accounts)
        self.reports = ReportStore(self.pool)

    async def begin(self, at: datetime, till: Till = ANY, **changes: Any) -> IntentRow:
        """A payment that was begun then, at that till."""
        row = intent(f"pay_{new_ulid(int(at.timestamp() * 1000))}", self.merchant_id, **changes)
        row = row._replace(**till._asdict())
        results: list[Any] = await intent_batch(self.pool).flush([row])
        assert results[0].inserted
        await self.pool.execute("UPDATE payments SET created_at = $2 WHERE id = $1", row.payment_id, at)
        return row

    async def end(self, row: IntentRow, event: Event, funding: tuple[postings.Funder, ...] = ()) -> None:
        """What became of it; the funders' parts make the discount."""
        made = outcome(row, event)
        if event is Event.CAPTURED:
            rows = postings.capture(
                row.merchant_id, row.account_id or "", Money(row.payable), fee_of(Money(row.payable)), funding
            )
            made = made._replace(transfers=settle.rows_of(rows))
        results: list[Any] = await outcome_batch(self.pool).flush([made])
        assert results[0].applied

    async def reverse(self, row: IntentRow) -> None:
        """Void a capture."""
        payment = await self.store.find(row.merchant_id, row.payment_id)
        assert payment is not None
        made = settle.reversed_(payment, await self.store.booked(payment))
        results: list[Any] = await outcome_batch(self.pool).flush([made])
        assert results[0].applied

    async def refund(
        self, row: IntentRow, amount: int, at: datetime, till: Till = ANY, state: RefundState | None = None
    ) -> Refund:
        """Refund goods of a payment, then, at that till; with a state, the channel has ended it."""
        request = RefundRequest(
            payment_id=row.payment_id, amount=amount, merchant_refund_no=new_ulid(), **till._asdict()
        )
        refund = (await self.refunds.take(RefundOrder(self.merchant_id, request), Deadline.after(0))).refund
        if state is not None:
            refund = await self.refunds.settle(refund, RefundReport(state))
        await self.pool.execute(
            "UPDATE refunds SET id = $2, created_at = $3 WHERE id = $1",
            refund.id,
            f"ref_{new_ulid(int(at.timestamp() * 1000))}",
            at,
        )
        return refund

    async def report(self, start: datetime, end: datetime, wanted: Till = ANY, lines_max: int = 1_000) -> ShiftReport:
        return await self.reports.read(self.merchant_id, Period(start, end), wanted, lines_max)

    async def months(self, *moments: datetime) -> None:
        """The partitions of these months."""
        async with self.pool.acquire() as connection:
            for moment in moments:
                await ensure_partitions(connection, moment)


@pytest.fixture(scope="module")
def opened_shop(database_url: str) -> Iterator[Shop]:
    """Opened once."""
    shop = Shop(database_url)
    yield shop
    shop.close()


@pytest.fixture
def shop(opened_shop: Shop) -> Shop:
    """A merchant of the test's own."""
    opened_shop.merchant_id = new_id("mer")
    return opened_shop
