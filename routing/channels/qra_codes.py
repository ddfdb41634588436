"""What the front's err_codes and states mean.  Source: CHANNEL-PROTOCOLS 3.6, and 1.6 for the words of WeChat Pay's v2.

The front has published no list.  Its words are those of WeChat Pay's version 2 and some of its own in plain English
(`Auth valid fail`, `Order paid`), so they are looked up in capitals without blanks and underscores.  For a bar code
`need_query` decides: `N` says that it surely failed, and anything else is asked for.  A word that stands in no table
proves nothing, and some (system errors, numbers in use, paid) contradict even an `N`.
"""

from __future__ import annotations

from typing import Final

from gateway.kernel.failures import FailureCode
from routing.channels.reports import CloseState, RefundState, ReversalState, TradeState
from routing.channels.wire import Refusal

_DROPPED: Final = str.maketrans("", "", " _")


def spelled(code: str) -> str:
    """The spelling that the tables use."""
    return code.translate(_DROPPED).upper()


_MISCONFIGURED: Final = Refusal(FailureCode.CHANNEL_MISCONFIGURED, may_fail_over=True)
"""Refused for who asked, before the order was looked at: the customer's code is untouched."""
_REFUSED: Final = Refusal(FailureCode.CHANNEL_REFUSED)
_RESTRICTED: Final = Refusal(FailureCode.CUSTOMER_ACCOUNT_RESTRICTED)

TURNED_AWAY: Final = {
    "SIGNATUREERROR": _MISCONFIGURED,
    "PARSEXMLERROR,PLEASEUSEUTF-8ENCODED": _MISCONFIGURED,
    "REQUIREPOSTMETHOD": _MISCONFIGURED,
}
"""Messages of `status` 400, which come unsigned and without a code: the request was not read any further."""
TURNED_AWAY_STATUS: Final = "400"

_ONBOARDING: Final = {
    **TURNED_AWAY,
    "NOAUTH": _MISCONFIGURED,
    "AUTHVALIDFAIL": _MISCONFIGURED,  # the merchant has no contract for this kind of payment
    "SIGNERROR": _MISCONFIGURED,
    "MCHIDNOTEXIST": _MISCONFIGURED,
    "APPIDNOTEXIST": _MISCONFIGURED,
    "APPIDMCHIDNOTMATCH": _MISCONFIGURED,
}

CHARGE_REFUSALS: Final = {
    **_ONBOARDING,
    "NOTENOUGH": Refusal(FailureCode.INSUFFICIENT_FUNDS),
    "AUTHCODEEXPIRE": Refusal(FailureCode.AUTH_CODE_EXPIRED),
    "AUTHCODEERROR": Refusal(FailureCode.AUTH_CODE_USED),
    "AUTHCODEINVALID": Refusal(FailureCode.AUTH_CODE_INVALID),
    "NOTSUPORTCARD": Refusal(FailureCode.CARD_DECLINED),
    "BUYERMISMATCH": _RESTRICTED,
    "ACCOUNTERROR": _RESTRICTED,
    "USERNOTEXIST": _RESTRICTED,
    "USERACCOUNTABNORMAL": _RESTRICTED,
    "REQUESTBLOCKED": Refusal(FailureCode.CHANNEL_RISK_DECLINED),
    "RULELIMIT": Refusal(FailureCode.LIMIT_EXCEEDED),
}
OTHER_FAILURE: Final = _REFUSED
"""Of a bar code with `need_query` `N` and any other word."""

STILL_PAYING: Final = "USERPAYING"
NO_FAILURES: Final = frozenset({STILL_PAYING, "SYSTEMERROR", "BANKERROR", "ORDERPAID", "OUTTRADENOUSED"})
"""Words that never mean that a charge surely failed, whatever `need_query` says beside them."""

SHOW_REFUSALS: Final = {
    **_ONBOARDING,
    "REQUESTBLOCKED": Refusal(FailureCode.CHANNEL_RISK_DECLINED),
    "RULELIMIT": Refusal(FailureCode.LIMIT_EXCEEDED),
    "PARAMERROR": _REFUSED,
    "LACKPARAMS": _REFUSED,
}
"""Codes on display.  Not here: INVALID_REQUEST, which the front says where an order stands under our number already."""

_REFUND_REFUSED: Final = Refusal(FailureCode.REFUND_REFUSED)
_UNREACHABLE: Final = Refusal(FailureCode.PAYER_CANNOT_RECEIVE)

REFUND_REFUSALS: Final = {
    **_ONBOARDING,
    "NOTENOUGH": Refusal(FailureCode.MERCHANT_BALANCE_INSUFFICIENT),
    "USERACCOUNTABNORMAL": _UNREACHABLE,
    "USERNOTEXIST": _UNREACHABLE,
    "TRADEOVERDUE": Refusal(FailureCode.REFUND_TOO_LATE),
    "REFUNDFEEMISMATCH": _REFUND_REFUSED,
    "TRADEERROR": _REFUND_REFUSED,
    "REQUESTBLOCKED": _REFUND_REFUSED,
    "RULELIMIT": _REFUND_REFUSED,
    "PARAMERROR": _REFUND_REFUSED,
    "LACKPARAMS": _REFUND_REFUSED,
    "INVALIDREQUEST": _REFUND_REFUSED,
}

ORDER_NOT_FOUND: Final = frozenset({"ORDERNOTEXIST", "ORDERNOTEXISTS"})
REFUND_NOT_FOUND: Final = frozenset({"REFUNDNOTEXIST", "REFUNDNOTEXISTS"})
ORDER_IS_SHUT: Final = frozenset({"ORDERREVERSED", "ORDERCLOSED"})
"""Errors of a reversal or a close that say it is done."""

REVERSAL_ERRORS: Final = {
    STILL_PAYING: ReversalState.REPEAT,
    "TRADEOVERDUE": ReversalState.REFUSED,
    "TRADEERROR": ReversalState.REFUSED,
    **dict.fromkeys(ORDER_NOT_FOUND, ReversalState.NOT_FOUND),
    **dict.fromkeys(ORDER_IS_SHUT, ReversalState.REVERSED),
}

CLOSE_ERRORS: Final = {
    "ORDERPAID": CloseState.PAID,
    STILL_PAYING: CloseState.REPEAT,
    **dict.fromkeys(ORDER_NOT_FOUND, CloseState.NOT_FOUND),
    **dict.fromkeys(ORDER_IS_SHUT, CloseState.CLOSED),
}

TRADE_STATES: Final = {
    "SUCCESS": TradeState.CAPTURED,
    "REFUND": TradeState.REFUNDED,
    "NOTPAY": TradeState.PENDING,
    "USERPAYING": TradeState.PENDING,
    "CLOSED": TradeState.CLOSED,
    "REVOKED": TradeState.CLOSED,
    "PAYERROR": TradeState.REFUSED,
}
PAYMENT_FAILED: Final = _REFUSED
"""PAYERROR says that the payment failed, and not why."""

ABNORMAL: Final = "CHANGE"
REFUND_STATES: Final = {
    "SUCCESS": RefundState.SUCCEEDED,
    "PROCESSING": RefundState.PENDING,
    "FAIL": RefundState.FAILED,
    "REFUNDCLOSE": RefundState.FAILED,
    # The payer's card is gone and the money came back to the merchant's cash account: only people can settle it, so it
    # must not look like a refund that can be made again under another number.
    ABNORMAL: RefundState.PENDING,
}
"""As in version 2 of WeChat Pay, whose refund query this is.  Not here: NOTSURE, which decides nothing."""
