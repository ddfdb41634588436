"""The customer with a phone: opens codes on display and orders in pages, and pays, declines or waits."""

from __future__ import annotations

import hashlib
import math
import secrets
from enum import StrEnum
from typing import Final, Protocol

from routing.simulators.acts import ORDINARY, Act, CallKind
from routing.simulators.books import Books, Method, Status, Trade, due_ms_after
from routing.simulators.magic import magic_act

AFTER_S_MAX: Final = 86_400.0


class Action(StrEnum):
    """What the customer does with an order that was opened."""

    PAY = "pay"
    SCAN = "scan"
    """Looks at it and does nothing yet."""
    DECLINE = "decline"


class WalletRefused(Exception):
    """The wallet does not pay; `reason` is unknown, closed, paid, expired, refused or declined."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(detail or reason)
        self.reason = reason


class AsksFaults(Protocol):
    """The faults in force."""

    def act_for(self, call: CallKind, order_no: str, otherwise: Act = ORDINARY) -> Act:
        """What is to happen."""


class HoldsFaults(Protocol):
    """Where the faults in force stand."""

    @property
    def faults(self) -> AsksFaults:
        """The faults in force."""


def payer_named(name: str) -> str:
    """The payer of that name: 24 hex digits, as `till.payer_of` gives them for payment codes."""
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


class Wallet:
    """What customers do; the books decide whether they can."""

    def __init__(self, books: Books, holder: HoldsFaults) -> None:
        self._books = books
        self._holder = holder

    def open(self, handle: str) -> Trade:
        """The order behind a code's content or a page's number, if it can be paid now.  Raises WalletRefused."""
        trade = self._books.find_by_handle(handle)
        if trade is None:
            raise WalletRefused("unknown")
        match trade.status:
            case Status.OPEN:
                pass
            case Status.CAPTURED | Status.REFUNDED:
                raise WalletRefused("paid")
            case _:
                raise WalletRefused("closed")
        if self._is_over(trade, self._books.now_ms()):
            raise WalletRefused("expired")
        return trade

    def scan(
        self, handle: str, action: Action, payer: str | None = None, after_s: float = 0.0, *, app: str = ""
    ) -> Trade:
        """Open an order and act on it; `payer` is 24 hex digits, a stranger where nobody is named.

        `app` is the wallet's name where a code can be scanned by several.  Raises WalletRefused.
        """
        trade = self.open(handle)
        if trade.method == Method.CODE:
            trade.payer = payer or trade.payer or secrets.token_hex(12)
            trade.wallet = app or trade.wallet
        if trade.scanned_ms is None:
            trade.scanned_ms = self._books.now_ms()
        if action is Action.PAY:
            self._pay(trade, after_s)
        else:
            self._books.save(trade)
        return trade

    def _pay(self, trade: Trade, after_s: float) -> None:
        """Pay now, or so much later: what happens to the order until then decides."""
        otherwise = magic_act("", trade.amount_fen) or ORDINARY
        act = self._holder.faults.act_for(CallKind.SCAN, trade.order_no, otherwise)
        pays_ms = due_ms_after(self._books.now_ms(), max(after_s, act.pin_answered_after_s or 0.0))
        refusal = act.refusal or ("customer_cancelled" if act.pin_refused else None)
        if refusal is None and pays_ms is not None:
            if self._is_over(trade, pays_ms):
                raise WalletRefused("expired", "it will have expired by then")
            trade.amount_fen = max(1, trade.amount_fen + act.amount_delta_fen)
            trade.due_ms, trade.due_status, trade.due_reason = pays_ms, Status.CAPTURED, None
            if pays_ms <= self._books.now_ms():
                trade.become(Status.CAPTURED, pays_ms)
        self._books.save(trade)
        if refusal is not None:
            raise WalletRefused("declined", refusal)

    def _is_over(self, trade: Trade, at_ms: int) -> bool:
        ends = [moment for moment in (trade.pay_until_ms, trade.handle_until_ms) if moment is not None]
        return at_ms >= min(ends, default=math.inf)
