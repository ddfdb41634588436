"""What a channel tells by itself: verified notifications, and the words in which it wants to be answered."""

from __future__ import annotations

from dataclasses import dataclass

from routing.channels.reports import RefundReport, TradeReport


@dataclass(frozen=True, slots=True)
class Notification:
    """A verified notification of a channel about one order of ours, or one refund of it.

    `id` is the same in every repetition.  `trade` is set for a payment, `refund` and `refund_no` for a refund;
    UnionPay's void (31/00) counts as a refund.
    """

    id: str
    order_no: str
    trade: TradeReport | None = None
    refund_no: str | None = None
    refund: RefundReport | None = None


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """A whole HTTP answer to a notification, in the channel's own words."""

    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Acknowledgements:
    """How a channel wants to hear that a notification was taken in, or that it was not."""

    accepted: Acknowledgement
    refused: Acknowledgement


class NotificationRefused(Exception):
    """It is not from the channel, not for this account, or not readable: nothing may change, nothing is acknowledged.

    `reason` is one word for the metrics (`signature`, `stale`, `unknown_key`, `malformed`, `wrong_account`…).
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
