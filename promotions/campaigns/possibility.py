"""Whether any payment at all could meet a campaign's condition: what comparisons with literals, and trying, prove.

The condition's alternatives are the index's (gateway.kernel.expressions.clauses): each is a set of constraints by
field.  They are held against what the fields can be, what follows from one another, and what the campaign itself asks.
An alternative that stands all of this may still never happen; one that does not, never does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, NamedTuple, Self
from zoneinfo import ZoneInfo

from gateway.kernel.expressions import Expression, FieldType
from gateway.kernel.expressions.clauses import Clause, Clauses
from gateway.kernel.expressions.constraints import KNOWN, NULL, Constraint
from gateway.kernel.expressions.tree import Node
from gateway.kernel.local_time import TIME_FIELDS
from gateway.kernel.money import AMOUNT_FEN_MAX
from promotions.campaigns.campaign import Campaign, Scope
from promotions.campaigns.explaining import parts_of, quoted
from promotions.campaigns.fields import (
    DOMAINS,
    FIELDS,
    HIGH_VALUE_ORDERS,
    HIGH_VALUE_SPENT_FEN,
    HISTORY_FIELDS,
    SLEEPING_AFTER_DAYS,
    Segment,
)
from promotions.campaigns.terms import BIN
from promotions.campaigns.trying import never_true

STANDING_MAX: Final = 256
"""Alternatives that are followed; a part of the condition that would make more of them is not looked at."""
HORIZON: Final = timedelta(days=28 * 366)
"""After so long the weekdays fall on the same days again."""
HOURLY_MAX: Final = timedelta(days=31)
"""A campaign that runs no longer is looked at hour by hour."""
_AMOUNT: Final = "payment.amount"
_BIN: Final = "payment.card_bin"
_COUNTED_BY: Final = {
    Scope.STORE: "payment.store_id",
    Scope.REGION: "payment.region",
    Scope.CODE: "payment.code",
}
_DATES: Final = frozenset({"payment.date", "payment.month", "payment.day", "payment.weekday"})
_ZERO: Final[frozenset[Any]] = frozenset({0})
_SOME: Final = Constraint(low=1)
_NONE: Final = Constraint(among=frozenset({0, None}))
_TRUE: Final = Constraint(among=frozenset({True}))
_COUNTS: Final = ("customer.orders_on_wallet", "customer.orders_at_merchant", "customer.orders_with_bin")
_AGES: Final = ("customer.days_since_first", "customer.days_since_last")


class Amounts(NamedTuple):
    """From so many fen to so many, both included."""

    least_fen: int
    most_fen: int


class Never(NamedTuple):
    """Why a condition can never be true."""

    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Situation:
    """What a campaign asks beside its condition: amounts, dates, who is known, cards that its coupons go with."""

    amounts: Amounts
    since: datetime
    until: datetime
    zone: ZoneInfo
    needs_customer: bool = False
    named: tuple[str, ...] = ()
    """The fields that its limits count by, or its coupons look at: without a value, the payment gets nothing."""
    bins: tuple[str, ...] = field(default=())

    @classmethod
    def of(cls, campaign: Campaign, now: datetime, amounts: Amounts) -> Self:
        """Of a campaign that gives something for these amounts, from now on."""
        since = max(campaign.starts_at or now, now)
        until = min(campaign.ends_at or since + HORIZON, since + HORIZON)
        bins = () if campaign.coupon is None else campaign.coupon.bins
        named = tuple(name for scope, name in _COUNTED_BY.items() if scope in campaign.limits.per)
        named += (_BIN,) if bins else ()
        return cls(amounts, since, until, campaign.timezone, campaign.needs_customer, named, bins)

    def clause(self) -> Clause:
        """As constraints, as far as these say it."""
        clause: Clause = {_AMOUNT: Constraint(self.amounts.least_fen, self.amounts.most_fen + 1)}
        clause |= dict.fromkeys(self.named, KNOWN)
        return clause | {"customer.known": _TRUE} if self.needs_customer else clause

    def allows(self, clause: Clause) -> bool:
        """Whether a payment could come that meets it."""
        return self._has_card(clause) and self._has_moment(clause)

    def _has_card(self, clause: Clause) -> bool:
        asked = clause.get(_BIN)
        if not self.bins or asked is None or asked.among is None:
            return True
        return any(
            one is not None and (one.startswith(b) or b.startswith(one)) for one in asked.among for b in self.bins
        )

    def _has_moment(self, clause: Clause) -> bool:
        hourly = self.until - self.since <= HOURLY_MAX
        asked = [(n, clause[n]) for n in TIME_FIELDS & clause.keys() if n in _DATES or (hourly and n == "payment.hour")]
        if not asked:
            return True
        moments = _moments(self.since, self.until, self.zone, hourly)
        return any(all(constraint.met_by(moment[name]) for name, constraint in asked) for moment in moments)


def amounts_of(condition: Expression | None, situation: Situation) -> Amounts | Never:
    """The amounts (at least these) for which a payment could meet the condition in that situation, or why none can."""
    if condition is None:
        return situation.amounts
    made = Clauses()
    standing = [situation.clause()]
    parts = parts_of(condition.tree)
    for part in parts:
        alternatives = made.of(part)
        met = [both for held in standing for one in alternatives if (both := _both(held, one, situation)) is not None]
        if not met:
            return _why(part, alternatives, situation)
        if len(met) <= STANDING_MAX:
            standing = met
    tried = never_true(parts)
    if tried is not None:
        return Never(f"{quoted(tried.part)} is never true" if tried.alone else _contradiction(tried.part))
    asked = [_amounts(clause[_AMOUNT]) for clause in standing]
    return Amounts(min(each.least_fen for each in asked), max(each.most_fen for each in asked))


def _amounts(asked: Constraint) -> Amounts:
    if asked.among is not None:
        return Amounts(min(asked.among), max(asked.among))
    return Amounts(asked.low, asked.high - 1)


def _both(held: Clause, other: Clause, situation: Situation | None) -> Clause | None:
    """What meets both, with what follows from it; None where nothing can."""
    joint = _joined(held, other.items())
    joint = None if joint is None else _joined(joint, _from_customer(joint))
    joint = None if joint is None else _joined(joint, _from_orders(joint))
    if joint is None or not all(_can_be(name, asked) for name, asked in joint.items()):
        return None
    return joint if situation is None or situation.allows(joint) else None


def _joined(clause: Clause, constraints: Iterator[tuple[str, Constraint]] | Any) -> Clause | None:
    joint = dict(clause)
    for name, constraint in constraints:
        held = joint.get(name)
        merged = constraint if held is None else held.both(constraint)
        if merged is None:
            return None
        joint[name] = merged
    return joint


def _from_customer(clause: Clause) -> Iterator[tuple[str, Constraint]]:
    """What is asked of a customer's orders by asking something else of the customer."""
    orders = "customer.orders"
    if any(not asked.met_by(None) for name, asked in clause.items() if name in HISTORY_FIELDS):
        yield "customer.known", _TRUE
    first = clause.get("customer.first_payment")
    if first is not None and first.among is not None and len(first.among) == 1 and None not in first.among:
        yield orders, Constraint(among=_ZERO) if True in first.among else _SOME
    segment = clause.get("customer.segment")
    if segment is not None and segment.among is not None:
        yield from _from_segment(segment.among)
    for name in (*_COUNTS, "customer.spent"):
        asked = clause.get(name)
        if asked is not None and not asked.met_by(None) and not asked.met_by(0):
            yield orders, _SOME
    if any(name in clause and not clause[name].met_by(None) for name in _AGES):
        yield orders, _SOME


def _from_segment(among: frozenset[Any]) -> Iterator[tuple[str, Constraint]]:
    if among == {Segment.NEW}:
        yield "customer.orders", Constraint(among=_ZERO)
    elif not among & {Segment.NEW, None}:
        yield "customer.orders", _SOME
    if among == {Segment.SLEEPING}:
        yield "customer.days_since_last", Constraint(low=SLEEPING_AFTER_DAYS)
    if among == {Segment.HIGH_VALUE}:
        yield "customer.orders", Constraint(low=HIGH_VALUE_ORDERS)
        yield "customer.spent", Constraint(low=HIGH_VALUE_SPENT_FEN)


def _from_orders(clause: Clause) -> Iterator[tuple[str, Constraint]]:
    """What is known of a customer who has not paid yet."""
    asked = clause.get("customer.orders")
    if asked is None or (asked.among != _ZERO and asked.high != 1):
        return
    yield from ((name, _NONE) for name in (*_COUNTS, "customer.spent"))
    yield from ((name, NULL) for name in _AGES)
    yield "customer.segment", Constraint(among=frozenset({Segment.NEW.value, None}))
    yield "customer.first_payment", Constraint(among=frozenset({True, None}))


def _can_be(name: str, asked: Constraint) -> bool:
    """Whether a field ever has such a value; of what is no field anything is thought possible."""
    declared = FIELDS.fields.get(name)
    if declared is None or (declared.nullable and asked.met_by(None)):
        return True
    if asked.among is not None:
        return any(value is not None and _is_value(name, value) for value in asked.among)
    if name in DOMAINS:
        return any(map(asked.met_by, DOMAINS[name]))
    if declared.type is not FieldType.INT or asked.high is None:
        return True
    least = max(asked.low or 0, 0)
    return any(value not in asked.avoided for value in range(least, min(asked.high, least + len(asked.avoided) + 1)))


def _is_value(name: str, value: Any) -> bool:
    if name in DOMAINS:
        return value in DOMAINS[name]
    if name == _BIN:
        return BIN.fullmatch(value) is not None
    if name == _AMOUNT:
        return 1 <= int(value) <= AMOUNT_FEN_MAX
    return FIELDS.fields[name].type is not FieldType.INT or value >= 0


def _why(part: Node, alternatives: list[Clause], situation: Situation) -> Never:
    """The reason, of the narrowest kind that there is."""
    never = f"{quoted(part)} is never true"
    possible = [alternative for alternative in alternatives if _both({}, alternative, None) is not None]
    if not possible:
        return Never(never, _domains(alternatives))
    if any(_both(situation.clause(), alternative, situation) is not None for alternative in possible):
        return Never(_contradiction(part))
    asked = frozenset(name for alternative in possible for name in alternative)
    where, hint = _against(asked, situation)
    return Never(f"{never} {where}", hint)


def _contradiction(part: Node) -> str:
    return f"{quoted(part)} contradicts what stands before it: no payment could meet both"


def _against(asked: frozenset[str], situation: Situation) -> tuple[str, str]:
    """What of the situation a part that asks of these fields cannot go with."""
    least, most = situation.amounts
    if _AMOUNT in asked:
        return "where the benefit gives anything", f"that is from {least} to {most} fen"
    if asked & TIME_FIELDS:
        return "while the campaign runs", "there is no such moment between “starts_at” and “ends_at”"
    if _BIN in asked and situation.bins:
        return "with the campaign's coupons", "they are bound to other cards (coupon.bins)"
    if asked & frozenset(situation.named):
        return "for this campaign", "its limits are for payments that name this"
    return "for this campaign", "it gives nothing to customers that are not known"


def _domains(alternatives: list[Clause]) -> str:
    """What the fields that were asked of can be."""
    names = dict.fromkeys(name for clause in alternatives for name in clause)
    return "; ".join(f"{name} is {told}" for name in names if (told := _domain(name)))


def _domain(name: str) -> str:
    values = DOMAINS.get(name)
    if values is None:
        return {_AMOUNT: f"from 1 to {AMOUNT_FEN_MAX} fen", _BIN: "of 6 to 8 digits: write startsWith()"}.get(name, "")
    return f"from {values[0]} to {values[-1]}" if isinstance(values, range) else f"one of {', '.join(map(str, values))}"


@lru_cache(maxsize=8)
def _moments(since: datetime, until: datetime, zone: ZoneInfo, hourly: bool) -> tuple[Mapping[str, Any], ...]:
    """Every half day (or hour) of a campaign in its time zone, as the fields of a payment then."""
    step = timedelta(hours=1 if hourly else 12)  # not 24: a day of 23 hours would be stepped over
    count = (until - since) // step + 1
    moments = [since + step * number for number in range(count)] + [until - timedelta(microseconds=1)]
    return tuple(_fields_at(moment.astimezone(zone)) for moment in moments if moment < until)


def _fields_at(at: datetime) -> Mapping[str, Any]:
    day: date = at.date()
    return {
        "payment.date": day.isoformat(),
        "payment.month": day.month,
        "payment.day": day.day,
        "payment.weekday": day.isoweekday(),
        "payment.hour": at.hour,
    }
