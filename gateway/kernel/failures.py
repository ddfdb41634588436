"""Why a payment failed: the gateway's own codes, one table for every channel, the risk check and the price.

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
    PRICE_CHANGED = "price_changed"
    REPLACED_PAYMENT_PAID = "replaced_payment_paid"
    WALLET_UNSUPPORTED = "wallet_unsupported"
    NO_CHANNEL = "no_channel"
    CHANNEL_UNAVAILABLE = "channel_unavailable"
    CHANNEL_REFUSED = "channel_refused"
    CHANNEL_MISCONFIGURED = "channel_misconfigured"
    NOT_CREATED = "not_created"


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
    FailureCode.PRICE_CHANGED: FailureMeaning(
        "The price is not the expected one; nothing was charged. Quote again.", True
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
}
