"""Tells the counters of the risk check what became of payments: declines and refunds, where a rule in force asks.

Nobody waits for it, and it is told once: what Valkey does not hear is not counted.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final, Protocol, TypeAlias

from gateway.kernel.failures import FailureCode
from gateway.payments.payment import Payment
from gateway.payments.states import Status
from risk.facts import Facts
from risk.rules.compiled import CompiledSet
from risk.velocity.spec import METRIC_SERIES, Series
from risk.velocity.telling import Telling

DECLINES: Final = frozenset(
    {
        FailureCode.INSUFFICIENT_FUNDS,
        FailureCode.AUTH_CODE_EXPIRED,
        FailureCode.AUTH_CODE_INVALID,
        FailureCode.AUTH_CODE_USED,
        FailureCode.CUSTOMER_CANCELLED,
        FailureCode.CUSTOMER_ACCOUNT_RESTRICTED,
        FailureCode.CARD_DECLINED,
        FailureCode.LIMIT_EXCEEDED,
        FailureCode.CHANNEL_RISK_DECLINED,
        FailureCode.RISK_DECLINED,
        FailureCode.CHANNEL_REFUSED,
    }
)
"""What counts as declined: the wallet, its issuer, the customer or a risk check has said no, nobody was merely away."""
_AT_ONCE_MAX: Final = 64
"""Requests that are read again at a time; beyond that, payments are more important than counters."""
_log: Final = logging.getLogger("mashang.risk")


class Hears(Protocol):
    """Who wants to know."""

    def ended(self, payment: Payment, facts: Facts | None = None) -> None:
        """A payment is durably over; `facts` where they are at hand."""

    def refunded(self, merchant_id: str, payment_id: str, refund_id: str, amount_fen: int, at: datetime) -> None:
        """A refund was taken."""


FactsOf: TypeAlias = Callable[[str, str], Awaitable[Facts | None]]
"""The facts of a payment (its id and its merchant's) as far as they are known (`Recalling`); None: it is not there."""


class Counting:
    """One per process."""

    def __init__(self, telling: Telling, facts_of: FactsOf, in_force: Callable[[], CompiledSet]) -> None:
        self._telling = telling
        self._facts_of = facts_of
        self._in_force = in_force
        self._under_way: set[asyncio.Task[None]] = set()

    def ended(self, payment: Payment, facts: Facts | None = None) -> None:
        """Count a decline."""
        if payment.status is not Status.FAILED or payment.failure not in DECLINES or not self._counts(Series.DECLINES):
            return
        at = payment.completed_at or payment.created_at
        if facts is not None:
            self._telling.tell(Series.DECLINES, facts, payment.id, payment.amount.amount_fen, at)
            return
        self._read(
            payment.merchant_id,
            payment.id,
            lambda found: self._telling.tell(Series.DECLINES, found, payment.id, payment.amount.amount_fen, at),
        )

    def refunded(self, merchant_id: str, payment_id: str, refund_id: str, amount_fen: int, at: datetime) -> None:
        """Count a refund."""
        if self._counts(Series.REFUNDS):
            self._read(
                merchant_id,
                payment_id,
                lambda found: self._telling.tell(Series.REFUNDS, found, refund_id, amount_fen, at),
            )

    def _counts(self, series: Series) -> bool:
        """Whether a rule in force looks at it."""
        return any(METRIC_SERIES[velocity.metric] is series for _, velocity in self._in_force().velocities)

    def _read(self, merchant_id: str, payment_id: str, tell: Callable[[Facts], object]) -> None:
        """Read the payment's request again, and tell of it."""
        if len(self._under_way) >= _AT_ONCE_MAX:
            return
        task = asyncio.create_task(self._told(merchant_id, payment_id, tell))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _told(self, merchant_id: str, payment_id: str, tell: Callable[[Facts], object]) -> None:
        try:
            facts = await self._facts_of(payment_id, merchant_id)
        except Exception as error:
            _log.warning("counters are not told", extra={"error": type(error).__name__, "payment_id": payment_id})
            return
        if facts is not None:
            tell(facts)


class _Nobody:
    def ended(self, payment: Payment, facts: Facts | None = None) -> None: ...

    def refunded(self, merchant_id: str, payment_id: str, refund_id: str, amount_fen: int, at: datetime) -> None: ...


NOBODY_COUNTS: Final[Hears] = _Nobody()
