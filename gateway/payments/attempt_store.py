"""Reads and writes the attempts of a code that any wallet can pay: one of them is open at a time (I1)."""

from __future__ import annotations

import math
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import asyncpg
import orjson

from gateway.database.pool import named_statements
from gateway.kernel.secrets import Vault
from gateway.payments.numbers import attempt_order_no
from gateway.payments.payment import Payment
from routing.channels.base import Wallet
from routing.channels.reports import PageReport, TradeReport
from routing.channels.wire import SHOWN_AT_LEAST

_SQL: Final = named_statements("gateway.payments", "statements.sql")
_LEFT_S_MIN: Final = 5.0
"""Nobody can pay in less: a code that ends so soon opens no order any more."""


class Attempt(NamedTuple):
    """One order at one account; `now` is the database's time when it was read."""

    seq: int
    account_id: str
    state: str
    send_before: datetime
    created_at: datetime
    pay_until: datetime | None
    channel_trade_no: str | None
    payer_hash: bytes | None
    page: PageReport | None
    now: datetime

    @property
    def age_s(self) -> float:
        """Seconds since it was opened."""
        return (self.now - self.created_at).total_seconds()

    @property
    def left_s(self) -> float:
        """Seconds for which the channel still takes money for it."""
        return math.inf if self.pay_until is None else (self.pay_until - self.now).total_seconds()

    def absent_from(self, not_created_after_s: float) -> datetime | None:
        """From here on, not found by query and by closing means that the order of a page was never created.

        None for one whose page was handed out: its channel has known it.
        """
        return None if self.page is not None else self.send_before + timedelta(seconds=not_created_after_s)


class AttemptView(NamedTuple):
    """One attempt as operations see it; `routing` is why its account was asked (JSON), where that was kept."""

    seq: int
    account_id: str
    state: str
    channel_code: str | None
    created_at: datetime
    finished_at: datetime | None
    routing: str | None


class NewAttempt(NamedTuple):
    """What an attempt is opened with; times in seconds from now.

    `pay_within_s`: None where only the payment's own expiry bounds it, and the channel's least time for an order.
    `routing` is why the account was chosen (JSON), where that was not the cashier page's own choice.
    """

    wallet: Wallet
    account_id: str
    payer_hash: bytes
    pay_within_s: float | None
    send_within_s: float
    look_after_s: float
    routing: str | None = None


class AttemptStore:
    """One per process."""

    def __init__(self, pool: asyncpg.Pool, vault: Vault) -> None:
        self._pool = pool
        self._vault = vault

    async def current(self, payment: Payment) -> Attempt | None:
        """The attempt whose number the payment has; None where no wallet was chosen yet."""
        record = await self._pool.fetchrow(_SQL["attempt"], payment.id, payment.merchant_id, payment.attempt_seq)
        if record is None:
            return None
        fields = dict(record)
        sealed = fields.pop("page_sealed")
        page = None if sealed is None else PageReport(**orjson.loads(self._vault.open(sealed, _place(payment))))
        return Attempt(**fields, page=page)

    async def all_of(self, payment: Payment) -> tuple[AttemptView, ...]:
        """Every attempt of a payment, in order."""
        records = await self._pool.fetch(_SQL["attempts"], payment.id, payment.merchant_id)
        return tuple(AttemptView(*record.values()) for record in records)

    async def open(self, payment: Payment, attempt: NewAttempt) -> Payment | None:
        """Make a new attempt durable before its channel is asked; the payment with it.

        None where the payment has left the state in which it was read, or another attempt is open, or too little time
        or no number is left: read it again.
        """
        record = await self._pool.fetchrow(
            _SQL["open_attempt"],
            payment.id,
            payment.merchant_id,
            payment.attempt_seq,
            attempt.wallet,
            attempt.account_id,
            attempt.pay_within_s,
            attempt.send_within_s,
            attempt.payer_hash,
            _LEFT_S_MIN,
            attempt.look_after_s,
            SHOWN_AT_LEAST.total_seconds() if attempt.pay_within_s is None else 0.0,
            attempt.routing,
        )
        if record is None:
            return None
        facts = {"wallet": attempt.wallet, "account_id": attempt.account_id, "any_wallet": True}
        return payment.with_(**record, **facts, channel_trade_no=None)

    async def close(self, payment: Payment, state: str = "closed", channel_code: str | None = None) -> bool:
        """That attempt is over unpaid, the code stays on display; False where it was not the open one any more.

        `state`: `closed` (it stays watched), or `refused` or `unsent` where no order came to be.
        """
        closed = await self._pool.fetchval(
            _SQL["close_attempt"], payment.id, payment.merchant_id, payment.attempt_seq, state, channel_code
        )
        return closed is not None

    async def renew(self, payment: Payment, send_within_s: float) -> bool:
        """One more try to open the order of an attempt whose page nobody was shown; False where another is at it."""
        renewed = await self._pool.execute(
            _SQL["renew_attempt"], payment.id, payment.merchant_id, payment.attempt_seq, send_within_s
        )
        return bool(renewed == "UPDATE 1")

    async def save_page(self, payment: Payment, page: PageReport) -> bool:
        """Keep how the page goes on, sealed, for the same payer; False where the attempt is not open any more."""
        plain = orjson.dumps(asdict(page))
        saved = await self._pool.execute(
            _SQL["save_page"],
            payment.id,
            payment.merchant_id,
            payment.attempt_seq,
            self._vault.seal(plain, _place(payment)),
            page.channel_trade_no,
        )
        return bool(saved == "UPDATE 1")

    async def note_capture(self, payment: Payment, report: TradeReport) -> None:
        """Remember that the customer paid although a cancellation is pending, before the money is given back."""
        await self._pool.execute(
            _SQL["note_capture"],
            payment.id,
            payment.merchant_id,
            payment.attempt_seq,
            report.channel_trade_no,
            report.payer_paid_fen,
            None if report.payer_id is None else self._vault.keyed_hash(report.payer_id.encode()),
            report.paid_at,
        )


def _place(payment: Payment) -> bytes:
    return attempt_order_no(payment.id, payment.attempt_seq).encode()
