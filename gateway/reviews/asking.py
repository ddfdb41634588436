"""Asks the channel how what is in review stands there now; decides nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.kernel.errors import Unavailable
from gateway.payments.charging import Charging
from gateway.payments.payment import Payment
from gateway.payments.store import PaymentStore
from gateway.refunds import steps
from gateway.refunds.store import RefundStore
from gateway.reviews.reading import SQL, Database
from gateway.reviews.review import Kind, Review
from routing.accounts.book import Account, AccountBook
from routing.channels.base import CallLimits, ChannelError
from routing.channels.reports import RefundReport, TradeReport

_TIMEOUT_S: Final = 5.0
_RETRY_S: Final = 10
_ABNORMAL: Final = "abnormal"


@dataclass(frozen=True, slots=True)
class Said:
    """What the channel said: a verified report, or the word of an error that says nothing of the order."""

    report: TradeReport | RefundReport | None
    error: str | None = None

    @property
    def state(self) -> str:
        """In one word; `unknown` where it did not say."""
        if self.report is None:
            return "unknown"
        return _ABNORMAL if isinstance(self.report, RefundReport) and self.report.abnormal else self.report.state

    @property
    def amount_fen(self) -> int | None:
        """The amount where the answer has it."""
        return None if self.report is None else self.report.amount_fen

    def to_json(self) -> Mapping[str, Any]:
        """As it is shown and kept."""
        code = self.error if self.report is None else self.report.channel_code
        return {"state": self.state, "amount": self.amount_fen, "code": code}


class Asking:
    """One per request."""

    def __init__(self, accounts: AccountBook, payments: PaymentStore, refunds: RefundStore, charging: Charging) -> None:
        self._accounts = accounts
        self._payments = payments
        self._refunds = refunds
        self._charging = charging

    async def ask(self, database: Database, review: Review) -> Said | None:
        """How the order or the refund stands; None where we have none of that number, or no account to ask."""
        account = self._accounts.get(review.account_id or "")
        payment = None if account is None else await self.order_of(database, review)
        if account is None or payment is None:
            return None
        if review.kind is Kind.REFUND:
            return await self._refund(payment, account, review)
        return await self._trade(payment, account)

    async def must_say(self, database: Database, review: Review) -> Said:
        """The same for a verdict that needs it.  Raises Unavailable where the channel says nothing."""
        said = await self.ask(database, review)
        if said is None:
            raise Unavailable("account_away", "The channel account cannot be used just now.", retry_after_s=_RETRY_S)
        if said.report is None:
            raise Unavailable(
                "channel_away", f"The channel did not say how it stands ({said.error}).", retry_after_s=_RETRY_S
            )
        return said

    def account_of(self, review: Review) -> Account:
        """The account of what is in review.  Raises Unavailable."""
        account = self._accounts.get(review.account_id or "")
        if account is None:
            raise Unavailable("account_away", "The channel account cannot be used just now.", retry_after_s=_RETRY_S)
        return account

    async def order_of(self, database: Database, review: Review) -> Payment | None:
        """The payment as its channel knows the attempt in question; None where we have no such order."""
        if review.merchant_id is None or not review.attempt_seq:
            return None
        payment = await self._payments.find(review.merchant_id, review.payment_id)
        if payment is None or review.kind in {Kind.PAYMENT, Kind.REFUND}:
            return payment
        attempt = await database.fetchrow(SQL["attempt"], review.payment_id, review.attempt_seq)
        if attempt is None or attempt["account_id"] != review.account_id:
            return None
        return payment.with_(
            attempt_seq=review.attempt_seq,
            account_id=attempt["account_id"],
            attempt_at=attempt["created_at"],
            channel_trade_no=None,
        )

    async def _trade(self, payment: Payment, account: Account) -> Said:
        answer = await self._charging.query(payment, account)
        return Said(answer) if isinstance(answer, TradeReport) else Said(None, answer.code)

    async def _refund(self, payment: Payment, account: Account, review: Review) -> Said | None:
        refund = await self._refunds.find(payment.merchant_id, review.refund_id or "")
        if refund is None:
            return None
        try:
            return Said(await account.channel.query_refund(steps.as_asked(payment, refund), CallLimits(_TIMEOUT_S)))
        except ChannelError as error:
            return Said(None, error.code)
