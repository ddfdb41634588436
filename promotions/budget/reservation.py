"""What the pool is asked for and what it answers; the seam between the payment flow and the pool."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, NamedTuple, Protocol


class Draw(NamedTuple):
    """What one campaign is to give: so many fen (and one redemption) of that day's budget, from one of its slices."""

    campaign_id: str
    day: date
    slices: int
    fen: int


class Reservation(NamedTuple):
    """What is reserved of a slice under `order_key` for `owner` (the payment's id).

    `in_pool` is False where Valkey could not be asked, or did not know the slice: PostgreSQL's guard then decides.
    `epoch` is the pool's at that moment.
    """

    campaign_id: str
    day: date
    slice: int
    fen: int
    order_key: str
    owner: str
    in_pool: bool
    epoch: int


@dataclass(frozen=True, slots=True)
class Exhausted:
    """A campaign has not enough left; nothing is reserved for the others either."""

    campaign_id: str


class Pool(Protocol):
    """The pool as the payment flow uses it (pool.py).  Nothing here raises because of Valkey."""

    async def reserve(self, order_key: str, owner: str, draws: Sequence[Draw]) -> tuple[Reservation, ...] | Exhausted:
        """Reserve from every campaign or from none; the same order again gets the same reservation."""

    def confirm(self, reservations: Sequence[Reservation]) -> None:
        """The intent is durable: what was reserved is held by its payment now.  Returns at once."""

    def release(self, reservations: Sequence[Reservation]) -> None:
        """Nothing became of the intent.  Only the owner's reservation is released.  Returns at once."""

    def give_back(self, campaign_id: str, day: date, slice_: int, fen: int, count: int) -> None:
        """An outcome or a refund has given back so many fen and redemptions in PostgreSQL.  Returns at once."""

    def correct(self, campaign_id: str, day: date, slice_: int, room_fen: int, room_count: int | None) -> None:
        """PostgreSQL refused what Valkey had said yes to: it knows of so much left.  Returns at once."""


class DatabaseOnly:
    """A pool that knows nothing: PostgreSQL's guards decide alone."""

    async def reserve(self, order_key: str, owner: str, draws: Sequence[Draw]) -> tuple[Reservation, ...]:
        """Yes to everything, from the first slice."""
        return tuple(
            [Reservation(draw.campaign_id, draw.day, 0, draw.fen, order_key, owner, False, 0) for draw in draws]
        )

    def confirm(self, reservations: Sequence[Reservation]) -> None:
        """Nothing is reserved."""

    def release(self, reservations: Sequence[Reservation]) -> None:
        """Nothing is reserved."""

    def give_back(self, campaign_id: str, day: date, slice_: int, fen: int, count: int) -> None:
        """PostgreSQL knows."""

    def correct(self, campaign_id: str, day: date, slice_: int, room_fen: int, room_count: int | None) -> None:
        """PostgreSQL knows."""


DATABASE_ONLY: Final = DatabaseOnly()
"""Where no pool is composed: in tests, and in commands that take no payments."""
