"""How a refund of goods is split between the customer and the funders of the discount, and its share of the fee.  Pure.

With G the goods refunded so far, this refund included, the customer gets `floor(payable * G / amount)` in all, the
funders the rest of G, and the merchant `floor(fee * customer / payable)` of its fee (PRODUCT.md, `POST /v1/refunds`).
What earlier refunds gave counts; a refund that failed in between gave nothing, and the rest catches up.  No part is
ever negative or above what was paid, and once all goods are refunded every part is back to the fen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Paid:
    """What a payment consisted of, in fen: goods, the customer's part of them, its fee, and each funder's part.

    Raises ValueError where the funders' parts are not the discount.
    """

    amount: int
    payable: int
    fee: int
    funding: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if sum(self.funding) != self.discount:
            raise ValueError("the funders' parts do not add up to the discount")

    @property
    def discount(self) -> int:
        """What the funders paid."""
        return self.amount - self.payable


class Parts(NamedTuple):
    """The parts of one refund, or of several together, in fen; `funding` stands in the order of the funders."""

    customer: int
    discount: int
    fee: int
    funding: tuple[int, ...] = ()

    @property
    def goods(self) -> int:
        """The goods' value."""
        return self.customer + self.discount


def together(parts: Iterable[Parts], funders: int) -> Parts:
    """The sum of some refunds."""
    found = list(parts)
    return Parts(
        customer=sum(part.customer for part in found),
        discount=sum(part.discount for part in found),
        fee=sum(part.fee for part in found),
        funding=tuple([sum(part.funding[number] for part in found) for number in range(funders)]),
    )


def split(paid: Paid, taken: Parts, goods: int) -> Parts:
    """The parts of a refund of `goods` after those that are pending or done have `taken` theirs.

    Raises ValueError where the goods are none, or more than is left.
    """
    if not 0 < goods <= paid.amount - taken.goods:
        raise ValueError("a refund lies between one fen and what is left of the payment")
    customer = _share(paid.payable, paid.amount, taken.goods + goods, taken.customer, goods)
    fee = _share(paid.fee, paid.payable, taken.customer + customer, taken.fee, customer)
    discount = goods - customer
    return Parts(customer, discount, fee, _funding(paid, taken, discount))


def _share(part: int, whole: int, so_far: int, taken: int, amount: int) -> int:
    """Of an `amount`, what belongs to a part of the whole: its cumulative floor less what it has taken.

    Neither it nor the rest of the amount is negative; only a refund that failed in between can make that matter.
    """
    due = part * so_far // whole if whole else 0
    return min(max(due - taken, 0), amount)


def _funding(paid: Paid, taken: Parts, discount: int) -> tuple[int, ...]:
    """Cumulative floors, the last funder takes the remainder; where that would be more than it gave (three funders
    and more) or less than nothing, its neighbours to the left stand in."""
    if not paid.funding:
        return ()
    so_far = taken.discount + discount
    due = [_share(part, paid.discount, so_far, taken.funding[n], discount) for n, part in enumerate(paid.funding[:-1])]
    shares = [*due, discount - sum(due)]
    room = [part - taken.funding[n] for n, part in enumerate(paid.funding)]
    return tuple(_within(shares, room))


def _within(shares: Sequence[int], room: Sequence[int]) -> list[int]:
    """The same sum with every share between zero and its room; moves what does not fit to the left, as little as can
    be.  The room is enough for all of it."""
    fitted = list(shares)
    last = len(fitted) - 1
    for number in range(last - 1, -1, -1):
        if fitted[last] > room[last]:
            moved = min(fitted[last] - room[last], room[number] - fitted[number])
        else:
            moved = -min(max(-fitted[last], 0), fitted[number])
        fitted[number] += moved
        fitted[last] -= moved
    return fitted
