"""What routing hears of payments: each call that begins one, how it ended, and what an account took in."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import datetime
from functools import lru_cache
from typing import Final, Protocol, TypeVar

from gateway.payments.payment import Payment
from routing.accounts.book import Account
from routing.channels.base import ChannelError, ChannelRejected, ChannelUnknown, ChannelUnsent, Wallet
from routing.channels.reports import CodeReport, PageReport, TradeReport
from routing.health.verdicts import Verdict, verdict_of
from routing.sale import Cell, Method

Report = TypeVar("Report", bound=TradeReport | CodeReport | PageReport)


class Call(Protocol):
    """A call under way (routing.health)."""

    def end(self, verdict: Verdict) -> None:
        """It has ended; once."""


class Health(Protocol):
    """Who keeps the health of accounts (routing.health)."""

    def begin(self, cell: Cell) -> Call:
        """A call begins."""

    def decide(self, cell: Cell, verdict: Verdict) -> None:
        """What a call came to that had ended undecided."""


class Usage(Protocol):
    """Who adds up what accounts take in (routing.accounts.usage)."""

    def add(self, account_id: str, fen: int, at: datetime) -> None:
        """A capture."""


class Feedback:
    """One per process; without a listener (the worker begins no payments) nothing is told."""

    def __init__(self, health: Health | None = None, usage: Usage | None = None) -> None:
        self._health = health
        self._usage = usage

    async def of(self, cell: Cell, call: Awaitable[Report]) -> Report | ChannelError:
        """Make a call that begins a payment; the channel's errors come back as values."""
        noted = None if self._health is None else self._health.begin(cell)
        verdict = Verdict.ABANDONED  # where this task is cancelled
        answer: Report | ChannelError
        try:
            try:
                answer = await call
            except (ChannelUnsent, ChannelRejected, ChannelUnknown) as error:
                answer = error
            if noted is not None:
                verdict = verdict_of(answer)
        finally:
            if noted is not None:
                noted.end(verdict)
        return answer

    def decided(self, cell: Cell, answer: TradeReport) -> None:
        """What the channel says now of an order that it was still at work on when its call ended."""
        if self._health is not None:
            self._health.decide(cell, verdict_of(answer))

    def captured(self, payment: Payment, at: datetime) -> None:
        """The payment's account has taken its money."""
        if self._usage is not None and payment.account_id is not None:
            self._usage.add(payment.account_id, payment.payable.amount_fen, at)


NOBODY_LISTENS: Final = Feedback()


def cell_of(account: Account, wallet: str | None, method: Method) -> Cell:
    """What health is kept of for a payment that has a wallet."""
    assert wallet is not None, "a payment at a channel has a wallet"
    return _cell(account.id, wallet, method)


@lru_cache(maxsize=4_096)
def _cell(account_id: str, wallet: str, method: Method) -> Cell:
    return Cell(account_id, Wallet(wallet), method)
