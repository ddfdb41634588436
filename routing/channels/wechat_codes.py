"""What WeChat Pay's error codes and states mean.  Source: CHANNEL-PROTOCOLS 1.5 (states) and 1.6 (codes).

The tables name what is proven.  A code that stands in none of them proves nothing and leaves the call unknown: system
and bank errors, limits of frequency (a 429 does not prove "not accepted"), ORDER_PAID, and OUT_TRADE_NO_USED, which
says that something already happened under our number.
Codes come in two spellings (SYSTEM_ERROR, SYSTEMERROR) and are looked up without underscores.
"""

from __future__ import annotations

from typing import Final, TypeVar

from gateway.kernel.failures import FailureCode
from routing.channels.reports import CloseState, RefundState, ReversalState, TradeState
from routing.channels.wire import Refusal

Row = TypeVar("Row")


def spelled(code: object) -> str:
    """The spelling that the tables use; empty for what is no code."""
    return code.replace("_", "").upper() if isinstance(code, str) else ""


def _by_spelling(rows: dict[str, Row]) -> dict[str, Row]:
    return {spelled(code): row for code, row in rows.items()}


_MISCONFIGURED: Final = Refusal(FailureCode.CHANNEL_MISCONFIGURED, may_fail_over=True)
"""Refused before the order was looked at: the customer's code is untouched."""

_ONBOARDING: Final = {
    "SIGN_ERROR": _MISCONFIGURED,
    "NO_AUTH": _MISCONFIGURED,
    "APPID_MCHID_NOT_MATCH": _MISCONFIGURED,
    "MCH_NOT_EXISTS": _MISCONFIGURED,
    "OPENID_MISMATCH": _MISCONFIGURED,
}

CHARGE_REFUSALS: Final = _by_spelling(
    {
        **_ONBOARDING,
        "NOT_ENOUGH": Refusal(FailureCode.INSUFFICIENT_FUNDS),
        "AUTH_CODE_EXPIRE": Refusal(FailureCode.AUTH_CODE_EXPIRED),
        "AUTH_CODE_ERROR": Refusal(FailureCode.AUTH_CODE_USED),
        "AUTH_CODE_INVALID": Refusal(FailureCode.AUTH_CODE_INVALID),
        "TRADE_ERROR": Refusal(FailureCode.CHANNEL_REFUSED),
        "ORDER_CLOSED": Refusal(FailureCode.CHANNEL_REFUSED),
        "ORDER_REVERSED": Refusal(FailureCode.CHANNEL_REFUSED),
        "NOTSUPORTCARD": Refusal(FailureCode.CARD_DECLINED),
        "BUYER_MISMATCH": Refusal(FailureCode.CUSTOMER_ACCOUNT_RESTRICTED),
        "ACCOUNT_ERROR": Refusal(FailureCode.CUSTOMER_ACCOUNT_RESTRICTED),
        "USER_NOT_EXIST": Refusal(FailureCode.CUSTOMER_ACCOUNT_RESTRICTED),
        "USER_ACCOUNT_ABNORMAL": Refusal(FailureCode.CUSTOMER_ACCOUNT_RESTRICTED),
        "REQUEST_BLOCKED": Refusal(FailureCode.CHANNEL_RISK_DECLINED),
        "RULE_LIMIT": Refusal(FailureCode.LIMIT_EXCEEDED),
        "PARAM_ERROR": Refusal(FailureCode.CHANNEL_REFUSED),
        "INVALID_REQUEST": Refusal(FailureCode.CHANNEL_REFUSED),
    }
)

SHOW_REFUSALS: Final = _by_spelling(
    {
        **_ONBOARDING,
        "TRADE_ERROR": Refusal(FailureCode.CHANNEL_REFUSED),
        "ORDER_CLOSED": Refusal(FailureCode.CHANNEL_REFUSED),
        "ORDER_REVERSED": Refusal(FailureCode.CHANNEL_REFUSED),
        "ACCOUNT_ERROR": Refusal(FailureCode.CUSTOMER_ACCOUNT_RESTRICTED),
        "USER_NOT_EXIST": Refusal(FailureCode.CUSTOMER_ACCOUNT_RESTRICTED),
        "REQUEST_BLOCKED": Refusal(FailureCode.CHANNEL_RISK_DECLINED),
        "RULE_LIMIT": Refusal(FailureCode.LIMIT_EXCEEDED),
        "PARAM_ERROR": Refusal(FailureCode.CHANNEL_REFUSED),
    }
)
"""Codes on display and orders of pages.  Not here: INVALID_REQUEST, which can also mean that an order with other values
stands under our number, and that one could still be paid."""

_REFUND_REFUSED: Final = Refusal(FailureCode.REFUND_REFUSED)
_UNREACHABLE: Final = Refusal(FailureCode.PAYER_CANNOT_RECEIVE)

REFUND_REFUSALS: Final = _by_spelling(
    {
        **_ONBOARDING,
        "NOT_ENOUGH": Refusal(FailureCode.MERCHANT_BALANCE_INSUFFICIENT),
        "USER_ACCOUNT_ABNORMAL": _UNREACHABLE,
        "USER_NOT_EXIST": _UNREACHABLE,
        "TRADE_OVERDUE": Refusal(FailureCode.REFUND_TOO_LATE),
        "REQUEST_BLOCKED": _REFUND_REFUSED,
        "TRADE_ERROR": _REFUND_REFUSED,
        "REFUND_FEE_MISMATCH": _REFUND_REFUSED,
        "RULE_LIMIT": _REFUND_REFUSED,
        "PARAM_ERROR": _REFUND_REFUSED,
        "INVALID_REQUEST": _REFUND_REFUSED,
    }
)

ORDER_NOT_FOUND: Final = frozenset(spelled(code) for code in ("ORDER_NOT_EXIST", "RESOURCE_NOT_EXISTS"))
REFUND_NOT_FOUND: Final = frozenset(
    spelled(code) for code in ("REFUND_NOT_EXISTS", "REFUND_NOT_EXIST", "RESOURCE_NOT_EXISTS")
)
STILL_PAYING: Final = spelled("USERPAYING")

CLOSE_STATES: Final = _by_spelling(
    {
        "ORDER_PAID": CloseState.PAID,
        "USERPAYING": CloseState.REPEAT,
        "ORDER_NOT_EXIST": CloseState.NOT_FOUND,
        "RESOURCE_NOT_EXISTS": CloseState.NOT_FOUND,
    }
)

ORDER_IS_SHUT: Final = frozenset(spelled(code) for code in ("ORDER_REVERSED", "ORDER_CLOSED"))
"""Errors of a reversal or a close that say it is done; believed only where they are signed."""

REVERSAL_ERRORS: Final = _by_spelling(
    {
        "USERPAYING": ReversalState.REPEAT,
        "TRADE_OVERDUE": ReversalState.REFUSED,
        "TRADE_ERROR": ReversalState.REFUSED,
        "RULE_LIMIT": ReversalState.REFUSED,
        "INVALID_REQUEST": ReversalState.REFUSED,
        "ORDER_NOT_EXIST": ReversalState.NOT_FOUND,
        "RESOURCE_NOT_EXISTS": ReversalState.NOT_FOUND,
    }
)

TRADE_STATES: Final = {
    "SUCCESS": TradeState.CAPTURED,
    "REFUND": TradeState.REFUNDED,
    "NOTPAY": TradeState.PENDING,
    "USERPAYING": TradeState.PENDING,
    "CLOSED": TradeState.CLOSED,
    "REVOKED": TradeState.CLOSED,
    "PAYERROR": TradeState.REFUSED,
}
PAYMENT_FAILED: Final = Refusal(FailureCode.CHANNEL_REFUSED)
"""PAYERROR says that the payment failed, and not why."""

ABNORMAL: Final = "ABNORMAL"
REFUND_STATES: Final = {
    "SUCCESS": RefundState.SUCCEEDED,
    "PROCESSING": RefundState.PENDING,
    "CLOSED": RefundState.FAILED,
    # The money left the merchant and did not arrive: it still counts as refunded there, and only people can settle it
    # (apply-abnormal-refund), so it must not look like a refund that can be made again under another number.
    ABNORMAL: RefundState.PENDING,
}

NO_STATEMENT: Final = spelled("NO_STATEMENT_EXIST")

PAYER_REFUSALS: Final = {
    40029: FailureCode.CHANNEL_REFUSED,  # no such code
    40163: FailureCode.CHANNEL_REFUSED,  # a code that was used
    42003: FailureCode.CHANNEL_REFUSED,  # a code that is too old
    40001: FailureCode.CHANNEL_MISCONFIGURED,
    40013: FailureCode.CHANNEL_MISCONFIGURED,
    40125: FailureCode.CHANNEL_MISCONFIGURED,
}
"""`errcode` of the page that identifies payers, which is not WeChat Pay's and has numbers of its own."""
