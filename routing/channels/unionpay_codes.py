"""What UnionPay's respCodes mean.  Source: CHANNEL-PROTOCOLS 3.4.

In answers to transactions a code speaks of the request, in queries `origRespCode` speaks of the order.  A code outside
the tables leaves a request unknown: 03 and 04, 12 (the number is in use), 34, 37 (too frequent), and 42, 74, 75
(debited, and not written off).
"""

from __future__ import annotations

from typing import Final

from gateway.kernel.failures import FailureCode
from routing.channels.reports import ReversalState
from routing.channels.wire import Refusal

SUCCEEDED: Final = frozenset({"00", "A6", "00A6"})
"""A6 is a success "with a defect"."""

ACCEPTED: Final = SUCCEEDED | {"05"}
"""Taken in; only a query or a notification says how it ended."""

UNDECIDED: Final = frozenset({"03", "04", "05", "42", "74", "75"})
"""As the state of an order: not decided, or debited without the merchant knowing."""

NO_SUCH_TRANSACTION: Final = "34"
DUPLICATE: Final = "12"
FILE_NOT_FOUND: Final = "98"
TAKEN_BACK: Final = "45"
"""Refunded or voided already; as the state of an order: reversed, no money stays with the merchant."""

_UNTOUCHED: Final = Refusal(FailureCode.CHANNEL_MISCONFIGURED, may_fail_over=True)
_MISCONFIGURED: Final = Refusal(FailureCode.CHANNEL_MISCONFIGURED)
_REFUSED: Final = Refusal(FailureCode.CHANNEL_REFUSED)
_CARD: Final = Refusal(FailureCode.CARD_DECLINED)

CONFIGURATION_REFUSALS: Final = {
    "10": _MISCONFIGURED,
    "11": _UNTOUCHED,
    "13": _MISCONFIGURED,
    "14": _MISCONFIGURED,
    "30": _MISCONFIGURED,
    "31": _UNTOUCHED,
    "32": _UNTOUCHED,
}
"""Refused for form, signature or standing, before the customer's code was looked at; believed without a signature."""

REFUSALS: Final = {
    **CONFIGURATION_REFUSALS,
    "01": _REFUSED,
    "02": Refusal(FailureCode.CHANNEL_UNAVAILABLE),
    "33": Refusal(FailureCode.LIMIT_EXCEEDED),
    "35": _REFUSED,
    "36": _REFUSED,
    "38": Refusal(FailureCode.CHANNEL_RISK_DECLINED),
    "39": _REFUSED,
    "40": _REFUSED,
    "41": _REFUSED,
    "45": _REFUSED,
    "60": _CARD,
    "61": _CARD,
    "62": _CARD,
    "63": _CARD,
    "64": Refusal(FailureCode.INSUFFICIENT_FUNDS),
    "65": _CARD,
    "66": _CARD,
    "67": _CARD,
    "68": _CARD,
    "69": Refusal(FailureCode.CUSTOMER_CANCELLED),
    "70": _CARD,
    "71": _CARD,
    "72": _CARD,
    "73": _CARD,
    "76": _CARD,
    "77": _CARD,
    "78": _CARD,
    "79": _CARD,
    "80": Refusal(FailureCode.AUTH_CODE_EXPIRED),
    "99": _REFUSED,
}

OTHER_FAILURE: Final = _REFUSED
"""In a query any other two digits are a failure of the order: "anything not 00/03/04/05 (and 42, 74, 75)"."""

REFUND_REFUSALS: Final = {
    **{code: Refusal(FailureCode.REFUND_REFUSED) for code in REFUSALS if code != "02"},
    **CONFIGURATION_REFUSALS,
    "64": Refusal(FailureCode.MERCHANT_BALANCE_INSUFFICIENT),
}
"""In answers to a refund or a void: the money is taken from the merchant, and 02 (closed for now) is asked again."""

REVERSAL_ERRORS: Final = {
    "34": ReversalState.NOT_FOUND,
    "35": ReversalState.NOT_FOUND,
    "36": ReversalState.REFUSED,
    "39": ReversalState.REFUSED,
    "45": ReversalState.REFUSED,
}
