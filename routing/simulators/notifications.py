"""What a simulated channel tells the merchant's server by itself, and what each channel contributes to that."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Final, Literal, Protocol

import orjson

from routing.simulators.books import Refund, Trade

About = Literal["payment", "refund"]
"""What a notification can be about."""


class Delivered(StrEnum):
    """Where a notification stands."""

    WAITING = "waiting"
    ACKNOWLEDGED = "acknowledged"
    GIVEN_UP = "given_up"
    """The last try of the schedule failed."""
    DROPPED = "dropped"
    """A fault swallowed it; it can be sent by hand."""


class Plan(StrEnum):
    """Whether the faults were asked what is to become of a notification."""

    UNASKED = "unasked"
    ASKED = "asked"
    HELD = "held"
    """Waits for another notification of its order to go first."""


@dataclass(slots=True)
class Notification:
    """One event that the merchant's server is told of until it acknowledges.

    `content` is JSON as it was when it happened: every try tells the same.  `refund_seq` is 0 for events of an order.
    `next_ms` is the moment of the next try, None when none comes by itself.
    """

    seq: int
    id: str
    merchant: str
    order_no: str
    refund_no: str | None
    trade_seq: int
    refund_seq: int
    event: str
    url: str
    content: str
    created_ms: int
    next_ms: int | None
    plan: str = Plan.UNASKED
    tries: int = 0
    status: str = Delivered.WAITING
    last_answer: str | None = None

    @property
    def kind(self) -> About:
        """What it is about."""
        return "refund" if self.refund_seq else "payment"

    def told(self) -> dict[str, Any]:
        """The content as a fresh document."""
        document: dict[str, Any] = orjson.loads(self.content)
        return document


NOTIFICATION_COLUMNS: Final = tuple(column.name for column in fields(Notification))


@dataclass(frozen=True, slots=True)
class News:
    """What a channel has to tell: its own word for the event (told once per order or refund), and the content."""

    event: str
    content: dict[str, Any]


class Tamper(StrEnum):
    """What is wrong with a forged or mistaken notification.

    Only `signature` breaks the proof: the others are signed well and tell of another amount (1 fen more), another
    merchant or another order than the true one.
    """

    SIGNATURE = "signature"
    AMOUNT = "amount"
    MERCHANT = "merchant"
    ORDER = "order"


@dataclass(frozen=True, slots=True)
class Forging:
    """How one posting differs from an honest one.

    `signtest` is WeChat's probe (elsewhere a broken signature); `age_s` sets its stamps back, by so many seconds it
    pretends to have been sent earlier; `next_keys` signs (and encrypts) with the keys after a rotation.
    """

    tamper: Tamper | None = None
    signtest: bool = False
    age_s: float = 0.0
    next_keys: bool = False


HONEST: Final = Forging()


@dataclass(frozen=True, slots=True)
class Post:
    """The request that tells: headers and raw body, to be POSTed to the notification's address as they are."""

    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a channel tells: first so long after the event, then so long after each try that was not acknowledged."""

    retry_s: tuple[float, ...]
    first_s: float = 0.0
    timeout_s: float = 5.0


class Herald(Protocol):
    """A channel's part in its notifications."""

    @property
    def schedule(self) -> Schedule:
        """When it tells."""

    def of_trade(self, trade: Trade) -> News | None:
        """What to tell of an order that was just captured and has an address; None for nothing."""

    def of_refund(self, trade: Trade, refund: Refund) -> News | None:
        """What to tell, when it settles, of a refund that has an address; None for nothing."""

    def post(self, notification: Notification, sent_ms: int, forging: Forging) -> Post:
        """The request of one try, signed at `sent_ms` (its age is already taken off)."""

    def acknowledges(self, status: int, body: bytes) -> bool:
        """Whether the merchant's answer means that it need not be told again."""


def moved(order_no: str) -> str:
    """Another number of the same length, for notifications that tell of a wrong order or merchant."""
    return order_no[:-1] + ("1" if order_no[-1:] != "1" else "2")
