"""One notification about one attempt of ours: a plain value, and whether a notification is one at all."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import orjson
from pydantic import TypeAdapter

from gateway.payments.numbers import RefundNumber, attempt_of, refund_of
from routing.channels.notifications import Notification, NotificationRefused

_NOTIFICATION: Final = TypeAdapter(Notification)
_ID: Final = re.compile(r"[\x21-\x7e]{1,200}")


class Result(StrEnum):
    """What became of a notification."""

    APPLIED = "applied"
    """It changed its payment or refund."""
    NO_CHANGE = "no_change"
    """It told what was known, or what decides nothing; or the worker has been woken and finds it out itself."""
    LATE = "late"
    """Money for a payment that is over, or for an attempt that is not the payment's any more: it goes back."""
    REVIEW = "review"
    """It contradicts our books: a person has to look."""
    ORPHAN = "orphan"
    """It names an order that we never placed, or placed with another account."""


@dataclass(frozen=True, slots=True)
class Callback:
    """A verified notification, and the attempt that it names."""

    payment_id: str
    attempt_seq: int
    account_id: str
    notification: Notification

    @classmethod
    def of(cls, account_id: str, notification: Notification) -> Callback:
        """Raises NotificationRefused: `foreign_order` for numbers that are not of our making, `malformed`."""
        attempt = attempt_of(notification.order_no)
        if attempt is None:
            raise NotificationRefused("foreign_order")
        told = (notification.trade, notification.refund)
        if not _ID.fullmatch(notification.id) or told.count(None) != 1:
            raise NotificationRefused("malformed")
        callback = cls(attempt.payment_id, attempt.attempt_seq, account_id, notification)
        refund = callback.refund_number
        if refund is not None and refund[:2] != attempt:
            raise NotificationRefused("malformed")
        return callback

    @property
    def refund_number(self) -> RefundNumber | None:
        """The refund of ours that it is about; None for a payment, and for a refund that was not made by us."""
        return refund_of(self.notification.refund_no or "")

    @property
    def key(self) -> tuple[str, str, str]:
        """What is unique in the inbox; the same in every repetition."""
        return self.payment_id, self.account_id, self.notification.id

    def report(self) -> bytes:
        """The notification as it is kept.  Raises NotificationRefused for text that cannot be written down."""
        try:
            return orjson.dumps(self.notification)
        except TypeError:  # half a surrogate pair, which JSON can spell
            raise NotificationRefused("malformed") from None

    @classmethod
    def read(cls, account_id: str, report: bytes) -> Callback:
        """The callback that was kept."""
        return cls.of(account_id, _NOTIFICATION.validate_json(report))
