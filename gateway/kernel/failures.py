"""Why a payment or a refund failed: the gateway's own codes, one table for channels, the risk check and the price.

The codes of each channel that lead to one of these stand in `routing/channels/<channel>_codes.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class FailureCode(StrEnum):
    """A closed set; what each means to the till stands in FAILURES."""

    INSUFFICIENT_FUNDS = "insufficient_funds"
    AUTH_CODE_EXPIRED = "auth_code_expired"
    AUTH_CODE_INVALID = "auth_code_invalid"
    AUTH_CODE_USED = "auth_code_used"
    CUSTOMER_CANCELLED = "customer_cancelled"
    CUSTOMER_ACCOUNT_RESTRICTED = "customer_account_restricted"
    CARD_DECLINED = "card_declined"
    LIMIT_EXCEEDED = "limit_exceeded"
    CHANNEL_RISK_DECLINED = "channel_risk_declined"
    RISK_DECLINED = "risk_declined"
    RISK_UNAVAILABLE = "risk_unavailable"
    PRICE_CHANGED = "price_changed"
    DISCOUNT_EXHAUSTED = "discount_exhausted"
    REPLACED_PAYMENT_PAID = "replaced_payment_paid"
    WALLET_UNSUPPORTED = "wallet_unsupported"
    NO_CHANNEL = "no_channel"
    CHANNEL_UNAVAILABLE = "channel_unavailable"
    CHANNEL_REFUSED = "channel_refused"
    CHANNEL_MISCONFIGURED = "channel_misconfigured"
    NOT_CREATED = "not_created"
    GIVEN_BACK = "given_back"
    MERCHANT_BALANCE_INSUFFICIENT = "merchant_balance_insufficient"
    """This and all below are of refunds."""
    REFUND_REFUSED = "refund_refused"
    REFUND_TOO_LATE = "refund_too_late"
    PAYER_CANNOT_RECEIVE = "payer_cannot_receive"


@dataclass(frozen=True, slots=True)
class FailureMeaning:
    """What a failure code tells the till: a sentence for its operator, and whether a new order number can help."""

    message: str
    retryable: bool


FAILURES: Final[dict[FailureCode, FailureMeaning]] = {
    FailureCode.INSUFFICIENT_FUNDS: FailureMeaning("Not enough money: ask for another card or wallet.", True),
    FailureCode.AUTH_CODE_EXPIRED: FailureMeaning(
        "The payment code has expired: ask the customer to refresh it.", True
    ),
    FailureCode.AUTH_CODE_INVALID: FailureMeaning("The wallet does not know this payment code: scan it again.", True),
    FailureCode.AUTH_CODE_USED: FailureMeaning(
        "This payment code was used before: ask the customer to refresh it.", True
    ),
    FailureCode.CUSTOMER_CANCELLED: FailureMeaning("The customer gave up or did not confirm.", True),
    FailureCode.CUSTOMER_ACCOUNT_RESTRICTED: FailureMeaning(
        "The customer's account cannot pay: ask for another wallet.", False
    ),
    FailureCode.CARD_DECLINED: FailureMeaning("The card's issuer declined: ask for another card.", True),
    FailureCode.LIMIT_EXCEEDED: FailureMeaning("Over a limit of the wallet or the card: ask for another one.", True),
    FailureCode.CHANNEL_RISK_DECLINED: FailureMeaning("The wallet's risk check declined this payment.", False),
    FailureCode.RISK_DECLINED: FailureMeaning("The risk check declined this payment.", False),
    FailureCode.RISK_UNAVAILABLE: FailureMeaning(
        "The risk check could not be completed for such an amount; nothing was charged. Try again.", True
    ),
    FailureCode.PRICE_CHANGED: FailureMeaning(
        "The price is not the expected one; nothing was charged. Quote again.", True
    ),
    FailureCode.DISCOUNT_EXHAUSTED: FailureMeaning(
        "The discount is gone; its campaign takes no payment without it. Nothing was charged. Quote again.",
        False,  # a new order number meets the same empty budget, perhaps until midnight
    ),
    FailureCode.REPLACED_PAYMENT_PAID: FailureMeaning(
        "The payment that this one replaces was paid; nothing was charged.", False
    ),
    FailureCode.WALLET_UNSUPPORTED: FailureMeaning("No wallet that we take issues such a payment code.", False),
    FailureCode.NO_CHANNEL: FailureMeaning("No channel is set up or open for this wallet.", False),
    FailureCode.CHANNEL_UNAVAILABLE: FailureMeaning(
        "The wallet could not be reached; nothing was charged. Try again.", True
    ),
    FailureCode.CHANNEL_REFUSED: FailureMeaning("The wallet refused the payment.", True),
    FailureCode.CHANNEL_MISCONFIGURED: FailureMeaning(
        "The wallet refused our credentials: operations have been told.", False
    ),
    FailureCode.NOT_CREATED: FailureMeaning("The wallet never received the payment; nothing was charged.", True),
    FailureCode.GIVEN_BACK: FailureMeaning(
        "The wallet took another amount, or could not undo it: what it took is given back.", True
    ),
    FailureCode.MERCHANT_BALANCE_INSUFFICIENT: FailureMeaning(
        "The merchant's balance at the channel is too low: top it up and refund again.", True
    ),
    FailureCode.REFUND_REFUSED: FailureMeaning(
        "The channel refused the refund: give the money back another way.", False
    ),
    FailureCode.REFUND_TOO_LATE: FailureMeaning(
        "The channel takes no refund of this payment any more: give the money back another way.", False
    ),
    FailureCode.PAYER_CANNOT_RECEIVE: FailureMeaning(
        "The customer's account cannot take the money back: give it back another way.", False
    ),
}
