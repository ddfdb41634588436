"""A refund as its merchant asked for it, and the refund that came of it; plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from gateway.kernel.clock import rfc3339
from gateway.kernel.failures import FAILURES, FailureCode
from gateway.kernel.money import Currency
from gateway.payments.numbers import refund_order_no
from gateway.refunds.schemas import RefundRequest
from gateway.refunds.split import Parts


class RefundStatus(StrEnum):
    """Where a refund stands (PRODUCT.md); `pending` is the only one that changes."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Share(NamedTuple):
    """A funder's part of what goes back, in fen: of the discount, or (`of_fee`) of the fee that it had paid for.

    `campaign_id` is whose budget it was; None where the books alone know of the funder.
    """

    sponsor: str
    amount: int
    campaign_id: str | None = None
    of_fee: bool = False


@dataclass(frozen=True, slots=True)
class RefundOrder:
    """A validated request of a merchant."""

    merchant_id: str
    request: RefundRequest
    idempotency_key: str | None = None

    @property
    def fields(self) -> Mapping[str, Any]:
        """Every validated field: two requests are the same when these are equal."""
        return self.request.model_dump()


class Refund(NamedTuple):
    """A refund as it stands; amounts in fen, `amount` is the goods' value."""

    id: str
    merchant_id: str
    payment_id: str
    merchant_refund_no: str
    seq: int
    attempt_seq: int
    account_id: str
    amount: int
    returned_to_customer: int
    discount_returned: int
    fee_returned: int
    funding: tuple[Share, ...]
    currency: Currency
    status: RefundStatus
    reason: str | None
    store_id: str | None
    terminal_id: str | None
    operator_id: str | None
    metadata: Mapping[str, Any]
    channel_refund_no: str | None
    failure: FailureCode | None
    failure_channel_code: str | None
    review: str | None
    asked_at: datetime | None
    last_asked_at: datetime | None
    tries: int
    next_at: datetime
    created_at: datetime
    completed_at: datetime | None
    read_at: datetime
    """The database's time when it was read: what `next_at` and the others are to be compared with."""

    @property
    def refund_no(self) -> str:
        """The number under which the channel knows it."""
        return refund_order_no(self.payment_id, self.attempt_seq, self.seq)

    @property
    def parts(self) -> Parts:
        """Its parts; the funders in their order."""
        funding = tuple([share.amount for share in self.funding if not share.of_fee])
        fee_funding = tuple([share.amount for share in self.funding if share.of_fee])
        return Parts(self.returned_to_customer, self.discount_returned, self.fee_returned, funding, fee_funding)

    @property
    def fields(self) -> Mapping[str, Any]:
        """The fields of the request that made it."""
        return {
            "payment_id": self.payment_id,
            "amount": self.amount,
            "merchant_refund_no": self.merchant_refund_no,
            "reason": self.reason,
            "store_id": self.store_id,
            "terminal_id": self.terminal_id,
            "operator_id": self.operator_id,
            "metadata": self.metadata,
        }

    def _discount_by_sponsor(self) -> dict[str, int]:
        """What each gets back of the discount, in fen, whichever campaigns it had paid for."""
        parts: dict[str, int] = {}
        for share in self.funding:
            if share.amount and not share.of_fee:
                parts[share.sponsor] = parts.get(share.sponsor, 0) + share.amount
        return parts

    def to_json(self) -> dict[str, Any]:
        """The refund object of the API (schemas.RefundObject)."""
        return {
            "id": self.id,
            "object": "refund",
            "status": self.status,
            "payment_id": self.payment_id,
            "merchant_refund_no": self.merchant_refund_no,
            "amount": self.amount,
            "returned_to_customer": self.returned_to_customer,
            "discount_returned": self.discount_returned,
            "fee_returned": self.fee_returned,
            "funding": [
                {"sponsor": sponsor, "amount": amount} for sponsor, amount in self._discount_by_sponsor().items()
            ],
            "currency": self.currency,
            "reason": self.reason,
            "channel": self.account_id,
            "channel_refund_no": self.channel_refund_no,
            "failure": _failure_json(self.failure, self.failure_channel_code),
            "review": self.review,
            "store_id": self.store_id,
            "terminal_id": self.terminal_id,
            "operator_id": self.operator_id,
            "created_at": rfc3339(self.created_at),
            "completed_at": None if self.completed_at is None else rfc3339(self.completed_at),
            "metadata": self.metadata,
        }


def _failure_json(code: FailureCode | None, channel_code: str | None) -> dict[str, Any] | None:
    if code is None:
        return None
    meaning = FAILURES[code]
    return {
        "code": code.value,
        "message": meaning.message,
        "channel_code": channel_code,
        "retryable": meaning.retryable,
    }
