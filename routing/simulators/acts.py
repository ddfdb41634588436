"""What a simulator is told to do with one call: the effect on its books, and how (or whether) the answer goes out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class CallKind(StrEnum):
    """The calls that faults can name."""

    PAY = "pay"
    QUERY = "query"
    REVERSE = "reverse"
    CLOSE = "close"
    REFUND = "refund"
    REFUND_QUERY = "refund_query"
    CREATE_CODE = "create_code"
    """A code that the customer scans (主扫)."""
    CREATE_PAGE = "create_page"
    """An order that is paid in a page inside the wallet."""
    IDENTIFY = "identify"
    """The code that a browser brought back, for the payer's id."""
    STATEMENT = "statement"
    """Bills and the files behind them."""
    OTHER = "other"
    """Everything around payments, such as the download of certificates."""
    SCAN = "scan"
    """What the customer does with a code or in a page; no call of the merchant's."""
    NOTIFY = "notify"
    """What the channel tells the merchant by itself; no call of the merchant's either."""


CALLS_OF_THE_MERCHANT: Final = frozenset(CallKind) - {CallKind.SCAN, CallKind.NOTIFY}


class Delivery(StrEnum):
    """How an answer goes out."""

    NORMAL = "normal"
    NEVER = "never"
    """The connection stays open without an answer for `hold_s`, then it is reset."""
    RESET = "reset"
    RESET_MIDWAY = "reset_midway"
    """Head and half of the body, then a TCP reset."""
    SERVER_ERROR = "server_error"
    MALFORMED = "malformed"
    RATE_LIMIT = "rate_limit"
    UNAVAILABLE = "unavailable"
    """The channel's own reason, proven to have touched neither the order nor the customer's code."""
    BAD_GATEWAY = "bad_gateway"
    """HTTP 502 of a machine in front of the channel, without anything of the channel's."""


class Sealing(StrEnum):
    """What becomes of an answer's signature."""

    SIGNED = "signed"
    UNSIGNED = "unsigned"
    BADLY_SIGNED = "badly_signed"


class Refusal(StrEnum):
    """Why a wallet refuses a payment; each channel has a table of its own codes for these."""

    INSUFFICIENT_FUNDS = "insufficient_funds"
    CODE_EXPIRED = "code_expired"
    CODE_USED = "code_used"
    RISK = "risk"
    CUSTOMER_CANCELLED = "customer_cancelled"


class RefundOutcome(StrEnum):
    """How a refund ends once it settles."""

    SUCCEEDED = "succeeded"
    ABNORMAL = "abnormal"
    """The money left the merchant and did not reach the payer."""
    CLOSED = "closed"
    """Nothing moved; it does not count on its order."""


@dataclass(frozen=True, slots=True)
class Act:
    """The script of one call.  The default is an ordinary success.

    `refusal` is a Refusal or a code of the channel's own; `error_code` answers that code and touches no books.
    `pin_answered_after_s` is None while no PIN is asked, and infinite where the customer never answers.
    """

    delivery: Delivery = Delivery.NORMAL
    sealing: Sealing = Sealing.SIGNED
    processed: bool = True
    hold_s: float = 30.0
    error_code: str | None = None
    refusal: str | None = None
    amount_delta_fen: int = 0
    wrong_order: bool = False
    pin_answered_after_s: float | None = None
    pin_refused: bool = False
    appears_after_s: float | None = None
    refund_outcome: RefundOutcome = RefundOutcome.SUCCEEDED
    slower_by_s: float = 0.0

    def shown_order_no(self, order_no: str) -> str:
        """The order number that the answer names: another one of the same length where the act says so."""
        if not self.wrong_order or not order_no:
            return order_no
        return order_no[:-1] + ("1" if order_no[-1] != "1" else "2")


ORDINARY = Act()
