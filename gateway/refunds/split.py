"""How a refund of goods is split between the customer and the funders of the discount, and its share of the fee.  Pure.

With G the goods refunded so far, this refund included, the customer gets `floor(payable * G / amount)` in all, the
funders the rest of G, and the merchant `floor(fee * customer / payable)` of its fee (PRODUCT.md, `POST /v1/refunds`).
Whoever paid for (a part of) the fee gets it back as the fee comes back: `floor(parts * fee returned / fee)` in all.
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

    `fee_funding` are the parts of those that paid for the merchant's fee.  Raises ValueError where the funders' parts
    are not the discount.
    """

    amount: int
    payable: int
    fee: int
    funding: tuple[int, ...] = ()
    fee_funding: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if sum(self.funding) != self.discount:
            raise ValueError("the funders' parts do not add up to the discount")

    @property
    def discount(self) -> int:
        """What the funders paid."""
        return self.amount - self.payable


class Parts(NamedTuple):
    """The parts of one refund, or of several together, in fen; `funding`s stand in the order of the funders."""

    customer: int
    discount: int
    fee: int
    funding: tuple[int, ...] = ()
    fee_funding: tuple[int, ...] = ()

    @property
    def goods(self) -> int:
        """The goods' value."""
        return self.customer + self.discount


def together(parts: Iterable[Parts], funders: int, fee_funders: int = 0) -> Parts:
    """The sum of some refunds."""
    found = list(parts)
    return Parts(
        customer=sum(part.customer for part in found),
        discount=sum(part.discount for part in found),
        fee=sum(part.fee for part in found),
        funding=tuple([sum(part.funding[number] for part in found) for number in range(funders)]),
        fee_funding=tuple([sum(part.fee_funding[number] for part in found) for number in range(fee_funders)]),
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
    funding = _funding(paid.funding, taken.funding, taken.discount, discount)
    return Parts(customer, discount, fee, funding, _fee_funding(paid, taken, fee))


def _share(part: int, whole: int, so_far: int, taken: int, amount: int) -> int:
    """Of an `amount`, what belongs to a part of the whole: its cumulative floor less what it has taken.

    Neither it nor the rest of the amount is negative; only a refund that failed in between can make that matter.
    """
    due = part * so_far // whole if whole else 0
    return min(max(due - taken, 0), amount)


def _fee_funding(paid: Paid, taken: Parts, fee: int) -> tuple[int, ...]:
    given, gone = sum(paid.fee_funding), sum(taken.fee_funding)
    due = given * (taken.fee + fee) // paid.fee if paid.fee else 0
    return _funding(paid.fee_funding, taken.fee_funding, gone, min(max(due - gone, 0), given - gone))


def _funding(given: Sequence[int], taken: Sequence[int], taken_in_all: int, amount: int) -> tuple[int, ...]:
    """Cumulative floors, the last funder takes the remainder; where that would be more than it gave (three funders
    and more) or less than nothing, its neighbours to the left stand in."""
    if not given:
        return ()
    whole, so_far = sum(given), taken_in_all + amount
    due = [_share(part, whole, so_far, taken[number], amount) for number, part in enumerate(given[:-1])]
    shares = [*due, amount - sum(due)]
    room = [part - taken[number] for number, part in enumerate(given)]
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
