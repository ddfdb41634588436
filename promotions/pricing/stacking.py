"""Which campaigns go together on a payment: the best legal combination, found exactly and the same every time.

**What is legal.**  At most CAMPAIGNS_MAX campaigns.  An exclusive one stands alone.  Of each group there is one `best`
campaign and nothing else of the group, or any number of its `cascading` ones.  Groups go together.

**What it comes to.**  Discounts are taken one after the other, each off what is left to pay: group after group, where a
group's place is that of the first campaign of it that the payment may have; within a group by priority (higher first),
then id.  Together they are at most the goods' value less a fen, and at most the cap of every campaign among them; the
last one is cut to that.

**What is best.**  The largest total; then the fewest campaigns; then the one whose campaigns come first.  Campaigns
that are no discount (a fee, a coupon afterwards) are then added in the same order where they are legal and their cap
does not lessen the total.

**Why this is exact without trying all combinations.**  What is left after a discount never falls when what was left
before it rises (benefits.py).  So for each number of campaigns only the way that leaves least to pay matters, and one
pass over the campaigns finds it.  A cap C is met by leaving out whoever has a lower one: what the others come to rises
as C falls, so the best of min(total, C) is found by bisection over the caps that there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, TypeAlias

from promotions.campaigns.campaign import CAMPAIGNS_MAX, Campaign, Mode
from promotions.pricing.benefits import DiscountOf, percent_of


class Bid(NamedTuple):
    """What a campaign would take off a payment.

    `discount_of` is None where it is no discount; `alone_fen` is the discount if it stands alone, uncut; `cap_fen` is
    what all discounts together may come to if it is among them.
    """

    campaign: Campaign
    discount_of: DiscountOf | None
    alone_fen: int
    cap_fen: int

    @classmethod
    def of(cls, campaign: Campaign, amount_fen: int, discount: DiscountOf | None) -> Bid:
        """A bid for goods of that value."""
        stacking = campaign.stacking
        cap_fen = amount_fen - PAYABLE_MIN_FEN
        if stacking.total_max_fen is not None:
            cap_fen = min(cap_fen, stacking.total_max_fen)
        if stacking.total_max_percent is not None:
            cap_fen = min(cap_fen, percent_of(stacking.total_max_percent, amount_fen))
        return cls(campaign, discount, 0 if discount is None else discount(amount_fen), cap_fen)

    @property
    def turn(self) -> tuple[int, str]:
        """Sorts by priority, higher first, then id."""
        return -self.campaign.stacking.priority, self.campaign.id


class Taken(NamedTuple):
    """A bid of the chosen combination, and what it takes off there."""

    bid: Bid
    discount_fen: int


class _Way(NamedTuple):
    """Some campaigns one after the other: what they leave to pay, the last of them, and the way before it."""

    left_fen: int
    bid: Bid | None
    before: _Way | None


_Ways: TypeAlias = "list[_Way | None]"
"""By the number of campaigns, the way with so many that leaves least; None where there is none."""

PAYABLE_MIN_FEN: Final = 1
"""No channel charges less."""


def combine(bids: Sequence[Bid], amount_fen: int) -> tuple[Taken, ...]:
    """The best legal combination of these bids, in the order taken.  Their order does not matter."""
    ordered = sorted(bids, key=_turn)
    discounts = _by_group([bid for bid in ordered if bid.alone_fen > 0 and bid.cap_fen > 0])
    chosen = _cut(_best(discounts, amount_fen), amount_fen) if discounts else []
    for bid in ordered:
        if bid.discount_of is None and goes_with(bid, chosen) and bid.cap_fen >= sum(fen for _, fen in chosen):
            chosen.append(Taken(bid, 0))
    return tuple(chosen)


def goes_with(bid: Bid, others: Iterable[Taken]) -> bool:
    """Whether a bid may stand beside the others of a combination."""
    chosen = [other.bid.campaign.stacking for other in others]
    return len(chosen) < CAMPAIGNS_MAX and not any(clash(bid.campaign, other.bid.campaign) for other in others)


def clash(one: Campaign, other: Campaign) -> bool:
    """Whether two campaigns never go together."""
    first, second = one.stacking, other.stacking
    if Mode.EXCLUSIVE in (first.mode, second.mode):
        return True
    return first.group == second.group and Mode.BEST in (first.mode, second.mode)


def _turn(bid: Bid) -> tuple[int, str]:
    return bid.turn


def _by_group(ordered: Iterable[Bid]) -> list[Bid]:
    """Group after group, each at the place of its first."""
    groups: dict[str, list[Bid]] = {}
    for bid in ordered:
        groups.setdefault(bid.campaign.stacking.group, []).append(bid)
    return [bid for members in groups.values() for bid in members]


def _best(discounts: Sequence[Bid], amount_fen: int) -> list[Bid]:
    """The best combination of discounts, which are sorted by group."""
    caps = sorted({bid.cap_fen for bid in discounts}, reverse=True)
    if len(caps) == 1:
        return _within(discounts, caps[0], amount_fen)
    low, high = 0, len(caps) - 1
    while low < high:
        middle = (low + high) // 2
        if _total(_allowed(discounts, caps[middle]), amount_fen) >= caps[middle]:
            high = middle
        else:
            low = middle + 1
    total_fen = min(_total(_allowed(discounts, caps[low]), amount_fen), caps[low])
    if low:
        total_fen = max(total_fen, min(_total(_allowed(discounts, caps[low - 1]), amount_fen), caps[low - 1]))
    return _within(_allowed(discounts, total_fen), total_fen, amount_fen)


def _allowed(discounts: Sequence[Bid], cap_fen: int) -> list[Bid]:
    return [bid for bid in discounts if bid.cap_fen >= cap_fen]


def _total(discounts: Sequence[Bid], amount_fen: int) -> int:
    """The most that these come to, were there no caps."""
    return amount_fen - min(way.left_fen for way in _ways(discounts, amount_fen) if way is not None)


def _within(discounts: Sequence[Bid], cap_fen: int, amount_fen: int) -> list[Bid]:
    """The combination with the largest total up to a cap; of those the one with the fewest campaigns."""
    ways = [way for way in _ways(discounts, amount_fen) if way is not None]
    best = min(ways, key=lambda way: max(way.left_fen, amount_fen - cap_fen))
    found: list[Bid] = []
    while best.bid is not None and best.before is not None:
        found.append(best.bid)
        best = best.before
    return found[::-1]


def _ways(discounts: Sequence[Bid], amount_fen: int) -> _Ways:
    """The ways to combine these, which are sorted by group."""
    start = _Way(amount_fen, None, None)
    groups: dict[str, tuple[list[Bid], list[Bid]]] = {}
    alone: list[Bid] = []
    for bid in discounts:
        stacking = bid.campaign.stacking
        if stacking.mode is Mode.EXCLUSIVE:
            alone.append(bid)
        else:
            groups.setdefault(stacking.group, ([], []))[stacking.mode is Mode.CASCADING].append(bid)
    ways: _Ways = [start, *[None] * CAMPAIGNS_MAX]
    for best, cascading in groups.values():
        ways = _with_group(ways, best, cascading)
    for bid in alone:
        ways[1] = _lesser(_with(start, bid), ways[1])
    return ways


def _with_group(ways: _Ways, best: Sequence[Bid], cascading: Sequence[Bid]) -> _Ways:
    """The ways after a group: without it, with one of its best campaigns, or with any of its cascading ones."""
    after = list(ways)
    for bid in cascading:
        for number in range(CAMPAIGNS_MAX, 0, -1):
            before = after[number - 1]
            if before is not None:
                after[number] = _lesser(_with(before, bid), after[number])
    for number, before in enumerate(ways[:-1], start=1):
        if before is not None:
            for bid in best:
                after[number] = _lesser(_with(before, bid), after[number])
    return after


def _with(way: _Way, bid: Bid) -> _Way:
    assert bid.discount_of is not None, "only discounts are searched"
    return _Way(way.left_fen - bid.discount_of(way.left_fen), bid, way)


def _lesser(new: _Way, old: _Way | None) -> _Way:
    """Who leaves less to pay; between equals whose last campaign comes first."""
    if old is None or new.left_fen != old.left_fen:
        return new if old is None or new.left_fen < old.left_fen else old
    assert new.bid is not None
    assert old.bid is not None
    return new if new.bid.turn < old.bid.turn else old


def _cut(bids: Sequence[Bid], amount_fen: int) -> list[Taken]:
    """What each takes off, one after the other, up to the lowest of their caps."""
    room_fen, left_fen = min(bid.cap_fen for bid in bids), amount_fen
    taken: list[Taken] = []
    for bid in bids:
        assert bid.discount_of is not None, "only discounts are cut"
        discount_fen = min(bid.discount_of(left_fen), room_fen)
        room_fen -= discount_fen
        left_fen -= discount_fen
        taken.append(Taken(bid, discount_fen))
    return taken
