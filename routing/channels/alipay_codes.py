"""What Alipay's result codes, sub codes and states mean.  Source: CHANNEL-PROTOCOLS 2.3, 2.4 and 2.7.

The tables name what is proven.  What stands in none of them leaves the call unknown: system errors, limits of calls
(40005), TRADE_HAS_SUCCESS, and CONTEXT_INCONSISTENT, which says that something already happened under our number.
Sub codes are found by substring, because Alipay itself writes them with ACQ., AQC. and no prefix.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar

from gateway.kernel.failures import FailureCode
from routing.channels.reports import CloseState, ReversalState, TradeState
from routing.channels.wire import Refusal

Row = TypeVar("Row")

SUCCEEDED: Final = "10000"
WAITING_FOR_BUYER: Final = "10003"
BUSINESS_FAILED: Final = "40004"
NOT_FOUND: Final = "TRADE_NOT_EXIST"

_UNTOUCHED: Final = Refusal(FailureCode.CHANNEL_MISCONFIGURED, may_fail_over=True)
_MISCONFIGURED: Final = Refusal(FailureCode.CHANNEL_MISCONFIGURED)
_RESTRICTED: Final = Refusal(FailureCode.CUSTOMER_ACCOUNT_RESTRICTED)
_LIMIT: Final = Refusal(FailureCode.LIMIT_EXCEEDED)
_REFUSED: Final = Refusal(FailureCode.CHANNEL_REFUSED)

GATEWAY_REFUSALS: Final = dict.fromkeys(("20001", "40001", "40002", "40003", "40006"), _UNTOUCHED)
"""Errors of the gateway in front of the business: it looked at credentials and form only, often without signing."""

CHARGE_REFUSALS: Final = {
    "PAYMENT_AUTH_CODE_INVALID": Refusal(FailureCode.AUTH_CODE_INVALID),
    "BUYER_BALANCE_NOT_ENOUGH": Refusal(FailureCode.INSUFFICIENT_FUNDS),
    "BUYER_BANKCARD_BALANCE_NOT_ENOUGH": Refusal(FailureCode.INSUFFICIENT_FUNDS),
    "ERROR_BALANCE_PAYMENT_DISABLE": _RESTRICTED,
    "NO_PAYMENT_INSTRUMENTS_AVAILABLE": _RESTRICTED,
    "PAYMENT_FAIL": _REFUSED,
    "PAYMENT_REQUEST_HAS_RISK": Refusal(FailureCode.CHANNEL_RISK_DECLINED),
    "BEYOND_PAY_RESTRICTION": _LIMIT,
    "BEYOND_PER_RECEIPT_": _LIMIT,
    "BUYER_PAYMENT_AMOUNT_DAY_LIMIT_ERROR": _LIMIT,
    "BUYER_PAYMENT_AMOUNT_MONTH_LIMIT_ERROR": _LIMIT,
    "TOTAL_FEE_EXCEED": _LIMIT,
    "TRADE_HAS_CLOSE": _REFUSED,
    "BUYER_SELLER_EQUAL": _RESTRICTED,
    "TRADE_BUYER_NOT_MATCH": _RESTRICTED,
    "BUYER_ENABLE_STATUS_FORBID": _RESTRICTED,
    "MOBILE_PAYMENT_SWITCH_OFF": _RESTRICTED,
    "USER_FACE_PAYMENT_SWITCH_OFF": _RESTRICTED,
    "PULL_MOBILE_CASHIER_FAIL": _REFUSED,
    "SELLER_BEEN_BLOCKED": _MISCONFIGURED,
    "INVALID_STORE_ID": _MISCONFIGURED,
    "SUB_MERCHANT_": _MISCONFIGURED,
    "MERCHANT_STATUS_NOT_NORMAL": _MISCONFIGURED,
    "EXIST_FORBIDDEN_WORD": _REFUSED,
    "CURRENCY_NOT_SUPPORT": _REFUSED,
    "ACCESS_FORBIDDEN": _UNTOUCHED,
    "PARTNER_ERROR": _UNTOUCHED,
    "INVALID_PARAMETER": _REFUSED,
}

_REFUND_REFUSED: Final = Refusal(FailureCode.REFUND_REFUSED)
_UNREACHABLE: Final = Refusal(FailureCode.PAYER_CANNOT_RECEIVE)

REFUND_REFUSALS: Final = {
    "SELLER_BALANCE_NOT_ENOUGH": Refusal(FailureCode.MERCHANT_BALANCE_INSUFFICIENT),
    "TRADE_HAS_FINISHED": Refusal(FailureCode.REFUND_TOO_LATE),
    "BUYER_NOT_EXIST": _UNREACHABLE,
    "BUYER_ERROR": _UNREACHABLE,
    "REFUND_AMT_NOT_EQUAL_TOTAL": _REFUND_REFUSED,
    "REASON_TRADE_REFUND_FEE_ERR": _REFUND_REFUSED,
    "REFUND_FEE_ERROR": _REFUND_REFUSED,
    "TRADE_HAS_CLOSE": _REFUND_REFUSED,
    "TRADE_STATUS_ERROR": _REFUND_REFUSED,
    "REASON_TRADE_STATUS_INVALID": _REFUND_REFUSED,
    "REASON_ILLEGAL_STATUS": _REFUND_REFUSED,
    "TRADE_NOT_ALLOW_REFUND": _REFUND_REFUSED,
    "NOT_ALLOW_PARTIAL_REFUND": _REFUND_REFUSED,
    "REASON_TRADE_BEEN_FREEZEN": _REFUND_REFUSED,
    "REFUND_CHARGE_ERROR": _REFUND_REFUSED,
    "ACCESS_FORBIDDEN": _UNTOUCHED,
    "PARTNER_ERROR": _UNTOUCHED,
    "INVALID_PARAMETER": _REFUND_REFUSED,
}
"""Not here: DISCORDANT_REPEAT_REQUEST (a refund under this number exists) and TRADE_NOT_EXIST; a query settles both."""

REVERSAL_ERRORS: Final = {
    "TRADE_CANCEL_TIME_OUT": ReversalState.REFUSED,
    "CANCEL_NOT_ALLOWED": ReversalState.REFUSED,
    "TRADE_HAS_FINISHED": ReversalState.REFUSED,
    "TRADE_STATUS_ERROR": ReversalState.REFUSED,
    "REASON_TRADE_STATUS_INVALID": ReversalState.REFUSED,
    "REASON_ILLEGAL_STATUS": ReversalState.REFUSED,
    NOT_FOUND: ReversalState.NOT_FOUND,
}

CLOSE_STATES: Final = {
    # Its state does not let it be closed: paid, or closed already.  A query says which.
    "TRADE_STATUS_ERROR": CloseState.PAID,
    "REASON_TRADE_STATUS_INVALID": CloseState.PAID,
    "REASON_ILLEGAL_STATUS": CloseState.PAID,
    "TRADE_HAS_SUCCESS": CloseState.PAID,
    "TRADE_HAS_FINISHED": CloseState.PAID,
    "TRADE_HAS_CLOSE": CloseState.CLOSED,
    NOT_FOUND: CloseState.NOT_FOUND,
}

PAYER_CODE_INVALID: Final = "code-invalid"

_NO_STATEMENT: Final = ("NO_BILL_DATA", "BILL_NOT_EXIST", "BILL_DATE_BEFORE_REGISTRATION")

TRADE_STATES: Final = {
    "WAIT_BUYER_PAY": TradeState.PENDING,
    "TRADE_SUCCESS": TradeState.CAPTURED,
    "TRADE_FINISHED": TradeState.CAPTURED,
    "TRADE_CLOSED": TradeState.CLOSED,  # timed out unpaid, cancelled, or given back in full
}


def row_of(sub_code: str | None, table: Mapping[str, Row]) -> Row | None:
    """The row whose name is part of the sub code; the longest name wins."""
    names = [name for name in table if name in (sub_code or "")]
    return table[max(names, key=len)] if names else None


def says_no_statement(sub_code: str | None) -> bool:
    """Whether there is no bill for that day.  Alipay writes these codes in capitals and without."""
    return any(name in (sub_code or "").upper() for name in _NO_STATEMENT)
