"""What every verdict is made of: what the channel said, and what is then written in one transaction; or why not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from gateway.database.pool import Connection
from gateway.kernel.errors import Conflict
from gateway.reviews.asking import Said
from gateway.reviews.reading import SQL
from gateway.reviews.review import Review


class Plan(NamedTuple):
    """A verdict that can be carried out; `act` runs under the lock of the payment's row, and may raise Conflict."""

    said: Said | None
    act: Callable[[Connection], Awaitable[None]]


def refused(message: str) -> Conflict:
    """The verdict could lose money."""
    return Conflict("verdict_refused", message, param="verdict")


def changed() -> Conflict:
    """Somebody, or something, was faster."""
    return Conflict("review_changed", "It is being settled, was settled, or has changed, meanwhile: read it again.")


async def release_payment(connection: Connection, review: Review) -> None:
    """Take the payment out of review.  Raises Conflict where it is not in the one that was read."""
    released = await connection.execute(
        SQL["release_payment"], review.payment_id, review.merchant_id, review.reason, review.attempt_seq
    )
    if released != "UPDATE 1":
        raise changed()
