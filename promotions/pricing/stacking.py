"""Which campaigns go together on a payment: the best legal combination, found exactly and the same every time.

**What is legal.**  At most CAMPAIGNS_MAX campaigns.  An exclusive one stands alone.  Of each group there is one `best`
campaign and nothing else of the group, or any number of its `cascading` ones.  Groups go together.

**What it comes to.**  Discounts are taken one after the other, each off what is left to pay: group after group, where a
group's place is that of its first campaign that the payment may have beside others; within a group by priority (higher
first), then id.  Together they are at most the goods' value less a fen, and at most the cap of every campaign among
them; the last one is cut to that.

**What is best.**  The largest total, without any campaign that could be left out of it; between equals of a group, or
of those that stand alone, whoever comes first.  Campaigns that are no discount (a fee, a coupon afterwards) are then
added in the same order where they are legal and their cap does not lessen the total.

**Why this is exact without trying all combinations.**  What is left after a discount never falls when what was left
before it rises (benefits.py).  So of each group only what leaves least to pay matters, and where that would be too many
campaigns, for each number of them only the way that leaves least: one pass finds it.  A cap C is met by leaving
out whoever has a lower one: what the others come to rises as C falls, so the best of min(total, C) is found by
bisection over the caps that there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Final, NamedTuple, TypeAlias

from promotions.campaigns.campaign import CAMPAIGNS_MAX, Campaign, Mode
from promotions.pricing.benefits import DiscountOf
from promotions.pricing.terms import Terms


class Bid(NamedTuple):
    """What a campaign would take off a payment.

    `discount_of` is None where it is no discount; `cap_fen` is what all discounts together may come to if it is among
    them; `alone_fen` is the discount if it stands alone, so never more.
    """

    terms: Terms
    discount_of: DiscountOf | None
    alone_fen: int
    cap_fen: int

    @property
    def campaign(self) -> Campaign:
        """Whose bid it is."""
        return self.terms.campaign


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


class _Group(NamedTuple):
    """The discounts of a group: `best` from the largest, `cascading` by turn."""

    best: list[Bid]
    cascading: list[Bid]


class _Field(NamedTuple):
    """All discounts: group by group, and those that stand alone, from the largest."""

    groups: Sequence[_Group]
    exclusive: Sequence[Bid]


_turn: Final[Callable[[Bid], str]] = attrgetter("terms.turn")
_alone_fen: Final[Callable[[Bid], int]] = attrgetter("alone_fen")
_cap_fen: Final[Callable[[Bid], int]] = attrgetter("cap_fen")


def combine(bids: Sequence[Bid], amount_fen: int) -> tuple[Taken, ...]:
    """The best legal combination of these bids, in the order taken.  Their order does not matter."""
    alone = _alone(bids) if bids else None
    if alone is not None:
        return (Taken(alone, alone.alone_fen),)
    ordered = sorted(bids, key=_turn)
    discounts = [bid for bid in ordered if bid.alone_fen > 0 and bid.cap_fen > 0]
    chosen = _cut(_best(discounts, amount_fen), amount_fen) if discounts else []
    for bid in ordered:
        if bid.discount_of is None and _goes_with(bid, chosen):
            chosen.append(Taken(bid, 0))
    return tuple(chosen)


def clash(one: Terms, other: Terms) -> bool:
    """Whether two campaigns never go together."""
    if one.mode is Mode.EXCLUSIVE or other.mode is Mode.EXCLUSIVE:
        return True
    return one.group == other.group and (one.mode is Mode.BEST or other.mode is Mode.BEST)


def _alone(bids: Sequence[Bid]) -> Bid | None:
    """The largest discount where all bids are `best` ones of one group, as nearly always; None where others are too.

    No other bid then stands beside it, and its own cap is in what it comes to.
    """
    found = bids[0]
    group = found.terms.group
    for bid in bids:
        terms = bid.terms
        if terms.mode is not Mode.BEST or terms.group != group:
            return None
        if bid.alone_fen > found.alone_fen or (bid.alone_fen == found.alone_fen and terms.turn < found.terms.turn):
            found = bid
    return found if found.alone_fen > 0 and found.cap_fen > 0 else None


def _goes_with(bid: Bid, chosen: Sequence[Taken]) -> bool:
    """Whether a bid that is no discount may stand beside what is chosen, without lessening it."""
    return (
        len(chosen) < CAMPAIGNS_MAX
        and bid.cap_fen >= sum(each.discount_fen for each in chosen)
        and not any(clash(bid.terms, each.bid.terms) for each in chosen)
    )


def _best(discounts: Sequence[Bid], amount_fen: int) -> list[Bid]:
    """The best combination of discounts, which are sorted by turn.

    Where the most that there is keeps its own caps, nothing gives more.  Else the lowest cap among them can be had by
    cutting, and more only among those that have a higher one.
    """
    if len(discounts) == 1:
        return list(discounts)
    field = _field(discounts)
    found = _most(field, amount_fen, amount_fen)
    cap_fen = min(map(_cap_fen, found))
    if amount_fen - _left_after(found, amount_fen) <= cap_fen:
        return found
    higher = sorted({bid.cap_fen for bid in discounts if bid.cap_fen > cap_fen}, reverse=True)
    total_fen = max(cap_fen, _total(field, higher, amount_fen)) if higher else cap_fen
    return _most(_allowed(field, total_fen), total_fen, amount_fen)


def _total(field: _Field, caps: Sequence[int], amount_fen: int) -> int:
    """The largest total that can be had under one of these caps, by bisection over them; they fall."""
    totals: dict[int, int] = {}

    def under(cap_fen: int) -> int:
        if cap_fen not in totals:
            found = _most(_allowed(field, cap_fen), amount_fen, amount_fen)
            totals[cap_fen] = amount_fen - _left_after(found, amount_fen)
        return totals[cap_fen]

    low, high = 0, len(caps) - 1
    while low < high:
        middle = (low + high) // 2
        if under(caps[middle]) >= caps[middle]:
            high = middle
        else:
            low = middle + 1
    return max(min(under(cap_fen), cap_fen) for cap_fen in caps[max(low - 1, 0) : low + 1])


def _most(field: _Field, cap_fen: int, amount_fen: int) -> list[Bid]:
    """The combination with the largest total up to a cap, without any that could be left out of it."""
    found, left_fen = _all_together(field, amount_fen)
    if len(found) > 1:
        found = _needed(found, max(left_fen, amount_fen - cap_fen), amount_fen)
    return found if len(found) <= CAMPAIGNS_MAX else _bids(_within(field, cap_fen, amount_fen))


def _all_together(field: _Field, amount_fen: int) -> tuple[list[Bid], int]:
    """The most that the groups give one after the other, or one that stands alone; and what remains to pay."""
    found: list[Bid] = []
    left_fen = amount_fen
    for best, cascading in field.groups:
        bid, remains_fen = _largest(best, left_fen) if best else (None, left_fen)
        if cascading:
            cascade, after_fen = _cascade(cascading, left_fen)
            if after_fen < remains_fen or (after_fen == remains_fen and bid is not None and _precedes(cascade, bid)):
                found += cascade
                left_fen = after_fen
                continue
        if bid is not None:
            found.append(bid)
            left_fen = remains_fen
    if field.exclusive:
        alone, remains_fen = _largest(field.exclusive, amount_fen)
        if alone and (remains_fen < left_fen or (remains_fen == left_fen and not _precedes(found, alone))):
            return [alone], remains_fen
    return found, left_fen


def _precedes(bids: Sequence[Bid], other: Bid) -> bool:
    """Whether these come before another one that gives as much: one does whose turn is earlier, several do not."""
    return len(bids) == 1 and bids[0].terms.turn < other.terms.turn


def _largest(bids: Sequence[Bid], left_fen: int) -> tuple[Bid | None, int]:
    """Who takes most off what is left, and what remains; bids come from the largest, and none takes more than alone."""
    least_fen, found = left_fen, None
    for bid in bids:
        if left_fen - bid.alone_fen > least_fen:
            break
        remains_fen = left_fen - _off_fen(bid, left_fen)
        if remains_fen < least_fen or (
            remains_fen == least_fen and found is not None and bid.terms.turn < found.terms.turn
        ):
            least_fen, found = remains_fen, bid
    return found, least_fen


def _cascade(bids: Iterable[Bid], left_fen: int) -> tuple[list[Bid], int]:
    """All that take something, and what remains."""
    found: list[Bid] = []
    for bid in bids:
        off_fen = _off_fen(bid, left_fen)
        if off_fen:
            found.append(bid)
            left_fen -= off_fen
    return found, left_fen


def _needed(bids: list[Bid], left_fen: int, amount_fen: int) -> list[Bid]:
    """Without those whose absence leaves no more to pay than that: others take what they would have taken."""
    for number in range(len(bids) - 1, -1, -1):
        others = [*bids[:number], *bids[number + 1 :]]
        if _left_after(others, amount_fen) <= left_fen:
            bids = others
    return bids


def _left_after(bids: Iterable[Bid], left_fen: int) -> int:
    """What remains after these, one after the other."""
    for bid in bids:
        left_fen -= _off_fen(bid, left_fen)
    return left_fen


def _off_fen(bid: Bid, left_fen: int) -> int:
    """What a discount takes off what is left; more than its own cap it can never come to."""
    assert bid.discount_of is not None, "only discounts are searched"
    off_fen = bid.discount_of(left_fen)
    return off_fen if off_fen < bid.cap_fen else bid.cap_fen  # noqa: FURB136  a third of min()'s time


def _field(discounts: Iterable[Bid]) -> _Field:
    """Discounts sorted by turn as groups, each at the place of its first."""
    groups: dict[str, _Group] = {}
    exclusive: list[Bid] = []
    for bid in discounts:
        terms = bid.terms
        if terms.mode is Mode.EXCLUSIVE:
            exclusive.append(bid)
            continue
        group = groups.get(terms.group)
        if group is None:
            group = groups[terms.group] = _Group([], [])
        (group.best if terms.mode is Mode.BEST else group.cascading).append(bid)
    for group in groups.values():
        if len(group.best) > 1:
            group.best.sort(key=_alone_fen, reverse=True)
    exclusive.sort(key=_alone_fen, reverse=True)
    return _Field(list(groups.values()), exclusive)


def _allowed(field: _Field, cap_fen: int) -> _Field:
    """Without those that have a lower cap."""

    def some(bids: Iterable[Bid]) -> list[Bid]:
        return [bid for bid in bids if bid.cap_fen >= cap_fen]

    return _Field([_Group(some(best), some(cascading)) for best, cascading in field.groups], some(field.exclusive))


def _within(field: _Field, cap_fen: int, amount_fen: int) -> _Way:
    """The way to the largest total up to a cap; of those the one with the fewest campaigns."""
    floor_fen = amount_fen - cap_fen
    best = _Way(amount_fen, None, None)
    for way in _ways(field, best):
        if way is not None and max(way.left_fen, floor_fen) < best.left_fen:
            best = way
            if best.left_fen <= floor_fen:
                break
    return best


def _bids(way: _Way) -> list[Bid]:
    """The campaigns of a way, in its order."""
    found: list[Bid] = []
    while way.bid is not None and way.before is not None:
        found.append(way.bid)
        way = way.before
    return found[::-1]


def _ways(field: _Field, start: _Way) -> _Ways:
    """The best ways through the groups, and alone."""
    ways: _Ways = [start, *[None] * CAMPAIGNS_MAX]
    for group in field.groups:
        ways = _with_group(ways, group)
    if field.exclusive:
        ways[1] = _lesser(start, field.exclusive, ways[1])
    return ways


def _with_group(ways: _Ways, group: _Group) -> _Ways:
    """The ways after a group: without it, with one of its best campaigns, or with any of its cascading ones."""
    after = list(ways)
    for bid in group.cascading:
        for number in range(CAMPAIGNS_MAX, 0, -1):
            before = after[number - 1]
            if before is not None:
                after[number] = _lesser(before, (bid,), after[number])
    if group.best:
        for number, before in enumerate(ways[:-1], start=1):
            if before is not None:
                after[number] = _lesser(before, group.best, after[number])
    return after


def _lesser(before: _Way, bids: Iterable[Bid], best: _Way | None) -> _Way:
    """Whichever leaves least to pay: one of these bids after that way, or the best so far.

    Between equals it is the one whose last campaign comes first.  Bids come from the largest, and none takes more here
    than alone: so the rest is not looked at once they are too small.
    """
    left_fen = before.left_fen
    least_fen = left_fen + 1 if best is None else best.left_fen
    chosen = None if best is None else best.bid
    found: Bid | None = None
    for bid in bids:
        if left_fen - bid.alone_fen > least_fen:
            break
        remains_fen = left_fen - _off_fen(bid, left_fen)
        if remains_fen < least_fen or (
            remains_fen == least_fen and (chosen is None or bid.terms.turn < chosen.terms.turn)
        ):
            least_fen, chosen, found = remains_fen, bid, bid
    if found is None:
        assert best is not None, "nothing leaves more than was left before"
        return best
    return _Way(least_fen, found, before)


def _cut(bids: Sequence[Bid], amount_fen: int) -> list[Taken]:
    """What each takes off, one after the other, up to the lowest of their caps."""
    room_fen, left_fen = min(map(_cap_fen, bids)), amount_fen
    taken: list[Taken] = []
    for bid in bids:
        discount_fen = min(_off_fen(bid, left_fen), room_fen)
        room_fen -= discount_fen
        left_fen -= discount_fen
        taken.append(Taken(bid, discount_fen))
    return taken
