"""What merchants are told of: the public types, and which events of our own each stands for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

from gateway.payments.states import Event


class WebhookType(StrEnum):
    """The type of a message."""

    PAYMENT_REQUIRES_ACTION = "payment.requires_action"
    PAYMENT_SUCCEEDED = "payment.succeeded"
    PAYMENT_FAILED = "payment.failed"
    PAYMENT_CLOSED = "payment.closed"
    PAYMENT_REVERSED = "payment.reversed"
    PAYMENT_LATE_CAPTURE_FOUND = "payment.late_capture_found"
    PAYMENT_LATE_CAPTURE_REFUNDED = "payment.late_capture_refunded"
    REFUND_SUCCEEDED = "refund.succeeded"
    REFUND_FAILED = "refund.failed"
    COUPON_ISSUED = "coupon.issued"
    COUPON_VOIDED = "coupon.voided"
    ENDPOINT_DISABLED = "webhook_endpoint.disabled"
    ENDPOINT_TEST = "webhook_endpoint.test"

    @property
    def subject(self) -> str:
        """What `data` is: a payment, a refund, a coupon or a webhook_endpoint."""
        return self.partition(".")[0]


_TYPES: Final[Mapping[str, WebhookType]] = {
    Event.CODE_SHOWN: WebhookType.PAYMENT_REQUIRES_ACTION,
    Event.CAPTURED: WebhookType.PAYMENT_SUCCEEDED,
    Event.REFUSED: WebhookType.PAYMENT_FAILED,
    Event.DECLINED: WebhookType.PAYMENT_FAILED,
    Event.UNSENT: WebhookType.PAYMENT_FAILED,
    Event.NOT_CREATED: WebhookType.PAYMENT_FAILED,
    Event.ABANDONED: WebhookType.PAYMENT_FAILED,
    Event.CLOSED: WebhookType.PAYMENT_CLOSED,
    Event.REVERSED: WebhookType.PAYMENT_REVERSED,
    Event.LATE_CAPTURE_FOUND: WebhookType.PAYMENT_LATE_CAPTURE_FOUND,
    Event.LATE_CAPTURE_REFUNDED: WebhookType.PAYMENT_LATE_CAPTURE_REFUNDED,
    Event.REFUND_SUCCEEDED: WebhookType.REFUND_SUCCEEDED,
    Event.REFUND_FAILED: WebhookType.REFUND_FAILED,
    WebhookType.COUPON_ISSUED: WebhookType.COUPON_ISSUED,
    WebhookType.COUPON_VOIDED: WebhookType.COUPON_VOIDED,
    WebhookType.ENDPOINT_DISABLED: WebhookType.ENDPOINT_DISABLED,
    WebhookType.ENDPOINT_TEST: WebhookType.ENDPOINT_TEST,
}
"""By the type under which an event is written; what is missing here is nobody's business but ours."""

TOLD: Final = tuple(_TYPES)
"""Every type of event that merchants are told of, as it is written."""


def public_type(event_type: str) -> WebhookType:
    """How a written event is called outside.  Raises KeyError for one that merchants are not told of."""
    return _TYPES[event_type]


def written_types(types: Iterable[WebhookType]) -> list[str]:
    """The types under which such events are written."""
    wanted = frozenset(types)
    return [written for written, public in _TYPES.items() if public in wanted]
